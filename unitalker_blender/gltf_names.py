"""Names of shape keys in glTF and VRM files, where Blender's importer does not look for them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .client.errors import UniTalkerError

_MAGIC = b"glTF"
_JSON_CHUNK = b"JSON"
_LONGEST = 1 << 28


@dataclass(frozen=True)
class NamedMesh:
    """A mesh of a file: its name, and those of its shape keys in order."""

    name: str
    shapes: tuple[str, ...]


class glTF2ImportUserExtension:  # noqa: N801 - the name that Blender's importer looks for
    """Tells Blender's glTF importer the names that a file has for its shape keys.

    The importer reads only ``mesh.extras.targetNames`` and calls all others ``target_0``, ``target_1``, ...; most VRM
    files have them in the primitives' extras or among the blend shape groups.
    """

    def gather_import_gltf_before_hook(self, gltf: Any) -> None:
        """Called by the importer before it makes anything."""
        extensions = gltf.data.extensions or {}
        nodes = [node.mesh for node in gltf.data.nodes or ()]
        groups = _vrm_groups(extensions, nodes)
        for index, mesh in enumerate(gltf.data.meshes or ()):
            primitive = mesh.primitives[0]
            count = len(primitive.targets or ())
            if count and not (isinstance(mesh.extras, dict) and "targetNames" in mesh.extras):
                names = _names(primitive.extras, groups.get(index, {}), count)
                if names:
                    mesh.extras = {**(mesh.extras or {}), "targetNames": list(names)}


def read_names(path: Path) -> tuple[NamedMesh, ...]:
    """The meshes with named shape keys of a .vrm, .glb or .gltf file.

    Raises:
        UniTalkerError: ``names.unreadable`` when it is none of these, ``names.none`` when nothing in it has a name.
    """
    document = _document(path)
    try:
        found = tuple(_named_meshes(document))
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise _unreadable(path, f"it is not glTF: {error!r}") from error
    if not found:
        raise UniTalkerError(
            "names.none",
            f"{path.name} has no names for its shape keys.",
            "Name them by hand, or set their sources in the panel Mapping.",
        )
    return found


def _named_meshes(document: Mapping[str, Any]) -> list[NamedMesh]:
    nodes = [node.get("mesh") for node in document.get("nodes", ())]
    groups = _vrm_groups(document.get("extensions", {}), nodes)
    found = []
    for index, mesh in enumerate(document.get("meshes", ())):
        primitive = mesh["primitives"][0]
        count = len(primitive.get("targets", ()))
        names = _names(mesh.get("extras"), {}, count) or _names(primitive.get("extras"), groups.get(index, {}), count)
        if names:
            found.append(NamedMesh(str(mesh.get("name", "")), names))
    return found


def _names(extras: Any, groups: Mapping[int, str], count: int) -> tuple[str, ...]:
    """One name for each of `count` shapes, from extras, else from groups; empty when there are none."""
    listed = extras.get("targetNames") if isinstance(extras, dict) else None
    if isinstance(listed, Sequence) and not isinstance(listed, str) and len(listed) == count:
        return tuple(str(name) for name in listed)
    return tuple(groups.get(i, f"target_{i}") for i in range(count)) if groups else ()


def _vrm_groups(extensions: Mapping[str, Any], meshes: Sequence[int | None]) -> dict[int, dict[int, str]]:
    """Mesh → shape → name of the VRM expression that consists of that shape alone.

    Args:
        meshes: the mesh of each node, which VRM 1.0 refers to.
    """
    alone: list[tuple[int | None, int, str]] = []
    for group in extensions.get("VRM", {}).get("blendShapeMaster", {}).get("blendShapeGroups", ()):
        binds = group.get("binds", ())
        if len(binds) == 1:
            alone.append((binds[0]["mesh"], binds[0]["index"], str(group.get("name") or group.get("presetName"))))
    for name, expression in extensions.get("VRMC_vrm", {}).get("expressions", {}).get("preset", {}).items():
        binds = expression.get("morphTargetBinds", ())
        if len(binds) == 1:
            alone.append((meshes[binds[0]["node"]], binds[0]["index"], name))
    groups: dict[int, dict[int, str]] = {}
    for mesh, shape, name in alone:
        if mesh is not None:
            groups.setdefault(mesh, {}).setdefault(shape, name)
    return groups


def _document(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            start = file.read(20)
            if start[:4] != _MAGIC:
                text = start + file.read(_LONGEST)
            elif start[16:20] == _JSON_CHUNK:
                text = file.read(min(_LONGEST, struct.unpack("<I", start[12:16])[0]))
            else:
                raise _unreadable(path, "it does not begin with JSON")
        document = json.loads(text)
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, "it is neither glTF nor VRM") from error
    if not isinstance(document, dict):
        raise _unreadable(path, "it is not glTF")
    return document


def _unreadable(path: Path, why: str) -> UniTalkerError:
    return UniTalkerError(
        "names.unreadable", f"Cannot read {path.name}: {why}.", "Choose the .vrm, .glb or .gltf file of the character."
    )

"""What of a character is driven by what: the `rig` of a request, and the way back from its channels to the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ..client.errors import UniTalkerError
from .character import armature_of, character_meshes
from .left_over_keys import left_over
from .rig_bones import UNLIMITED
from .rig_conventions import HEAD_ANGLES, load_conventions
from .rig_detection import Detection, detect, find, some
from .rig_rows import Kind, Row, rows_of
from .target import has_shape_keys, shape_key_names

_WHOLE = 0.9
"""Share of the mouth shapes from which on a mesh can speak for itself."""


@dataclass(frozen=True)
class Destination:
    """Where a channel of the result goes; as text it is the channel's name.

    Attributes:
        uid: session id of the shape keys, or of the object (the armature of a bone).
        channel: of a bone or object, as in `rig_rows.CHANNELS`; empty for shape keys.
        name: of the shape key or bone.
    """

    kind: Kind
    uid: int
    channel: str
    name: str

    def __str__(self) -> str:
        return "|".join((self.kind, str(self.uid), self.channel, self.name))

    @classmethod
    def parse(cls, text: str) -> Destination | None:
        """The destination that a channel's name stands for; None for other names."""
        parts = text.split("|", 3)
        if len(parts) != 4 or parts[0] not in ("SHAPE_KEY", "BONE", "OBJECT") or not parts[1].isdecimal():
            return None
        return cls(parts[0], int(parts[1]), parts[2], parts[3])  # type: ignore[arg-type]


@dataclass(frozen=True)
class Resolution:
    """A character, as it will be driven.

    Attributes:
        request: the `rig` of a request.
        detection: the convention that was found or chosen; None for a mapping without one.
        meshes: names of the objects whose shape keys move.
        notes: what the user should know.
    """

    request: Mapping[str, Any]
    detection: Detection | None
    meshes: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """A mesh of a character, and the rows that would move it."""

    mesh: bpy.types.Object
    rows: tuple[Row, ...]


def resolve(scene: bpy.types.Scene, target: bpy.types.Object, assets: Path) -> Resolution:
    """How a character is driven: by its own mapping if that is turned on, else as detected.

    Raises:
        UniTalkerError: ``target.none_recognised`` when nothing of it can be, saying what to do.
    """
    detection = detected(target, assets)
    meshes = [part for part in parts(scene, target, assets) if _included(part.mesh, target)]
    if target.unitalker_mapping.use_rows:
        return _resolve_rows(target, detection, [part.mesh for part in meshes])
    if detection is None or not any(part.rows for part in meshes):
        raise none_recognised(scene, target, assets)
    places = [(row, place) for part in meshes for row in part.rows for place in _destinations(row, target, [part.mesh])]
    rows = [_request_row(row, place, by_hand=False) for row, place in places]
    moved = [part.mesh for part in meshes]
    notes = left_over(moved, {(place.uid, place.name) for _row, place in places}, assets / "rigs")
    return _resolution(rows, detection.convention.name, detection, moved, notes)


def _resolve_rows(target: bpy.types.Object, detection: Detection | None, meshes: list[bpy.types.Object]) -> Resolution:
    """The character's own mapping."""
    mapping = target.unitalker_mapping
    rows: list[dict[str, Any]] = []
    missing = []
    for row in mapping.as_rows():
        if not row.mute:
            places = list(_destinations(row, target, meshes))
            rows += [_request_row(row, place) for place in places]
            missing += [] if places else [row.target or row.object]
    if not rows:
        raise _nothing_mapped(target, missing)
    notes = [f"the mapping speaks of what is not there: {some(missing)}"] if missing else []
    return _resolution(rows, mapping.convention_of_rows, detection, meshes, notes)


def detected(target: bpy.types.Object, assets: Path) -> Detection | None:
    """The convention chosen for an object, else the one that its shape keys follow best, else None."""
    names = tuple(shape_key_names(target.data.shape_keys))
    chosen = target.unitalker_mapping.convention
    if chosen:
        conventions = load_conventions(assets / "rigs")
        if chosen not in conventions:
            raise UniTalkerError(
                "mapping.unknown_convention",
                f"There is no convention '{chosen}' of shape key names.",
                f"Leave Convention empty in the panel Mapping, or choose {', '.join(conventions)}.",
            )
        return find(conventions[chosen], names)
    found = detect(names, assets / "rigs")
    return found[0] if found else None


def parts(scene: bpy.types.Scene, target: bpy.types.Object, assets: Path) -> list[Part]:
    """The meshes of a character that have shape keys to drive, the target first; also those that are turned off."""
    detection = detected(target, assets)
    rigs = assets / "rigs"
    found = []
    apart = armature_of(target) is None
    for mesh in character_meshes(scene, target):
        names = tuple(shape_key_names(mesh.data.shape_keys))
        if apart and mesh != target and _is_whole(names, rigs):
            continue
        rows = rows_of(find(detection.convention, names), names, rigs) if detection is not None else ()
        own = detect(names, rigs)
        if not rows and own and own[0].convention.direct:
            rows = rows_of(own[0], names, rigs)
        if rows or mesh == target:
            found.append(Part(mesh, rows))
    return found


def _is_whole(names: tuple[str, ...], rigs: Path) -> bool:
    """Whether a mesh is a face of its own, so that without an armature in common it is another character."""
    found = detect(names, rigs)
    return bool(found) and found[0].mouth_share >= _WHOLE


def none_recognised(scene: bpy.types.Scene, target: bpy.types.Object, assets: Path) -> UniTalkerError:
    """Why an object cannot speak, and what to do."""
    names = shape_key_names(target.data.shape_keys)
    message = f"None of the {len(names)} shape keys of '{target.name}' ({some(names)}) has a name that is known"
    if names and all(name.startswith("target_") and name[7:].isdecimal() for name in names):
        return UniTalkerError(
            "target.none_recognised",
            f"{message}: their names were lost when the file was imported.",
            "Press Names from File in the panel Mapping and choose the .vrm or .glb file.",
        )
    others = [item.name for item in faces(scene, assets) if item != target]
    return UniTalkerError(
        "target.none_recognised",
        f"{message}. Known are ARKit shapes (jawOpen, mouthSmileLeft, ...), visemes, vowels and other families.",
        f"Choose the mesh that has them: {some(others)}."
        if others
        else "Rename the shape keys, or set their sources in the panel Mapping.",
    )


def faces(scene: bpy.types.Scene, assets: Path) -> list[bpy.types.Object]:
    """The meshes of a scene that can speak."""
    return [item for item in scene.objects if has_shape_keys(item) and detected(item, assets) is not None]


def _included(mesh: bpy.types.Object, target: bpy.types.Object) -> bool:
    return bool(mesh == target or (mesh.unitalker_mapping.include and mesh.data.shape_keys.is_editable))


def _destinations(row: Row, target: bpy.types.Object, meshes: list[bpy.types.Object]) -> Iterator[Destination]:
    if row.kind == "SHAPE_KEY":
        for mesh in meshes:
            key = mesh.data.shape_keys
            block = key.key_blocks.get(row.target)
            if block is not None and block != key.reference_key and row.object in ("", mesh.name):
                yield Destination("SHAPE_KEY", key.session_uid, "", row.target)
        return
    owner = bpy.data.objects.get(row.object) if row.object else armature_of(target)
    if owner is None:
        return
    if row.kind == "OBJECT":
        yield Destination("OBJECT", owner.session_uid, row.channel, "")
    elif owner.pose is not None and row.target in owner.pose.bones:
        yield Destination("BONE", owner.session_uid, row.channel, row.target)


def _request_row(row: Row, place: Destination, by_hand: bool = True) -> dict[str, Any]:
    """A row as the backend reads it; one that was made by itself is held by the shape key's own range alone."""
    free = not by_hand or row.kind != "SHAPE_KEY" or row.source in HEAD_ANGLES
    return {
        "target": str(place),
        "source": row.source,
        "gain": row.gain,
        "offset": row.offset,
        "minimum": -UNLIMITED if free else row.minimum,
        "maximum": UNLIMITED if free else row.maximum,
    }


def _resolution(
    rows: list[dict[str, Any]],
    convention: str,
    detection: Detection | None,
    meshes: list[bpy.types.Object],
    notes: list[str],
) -> Resolution:
    request = {"convention": convention or None, "targets": rows}
    return Resolution(request, detection, tuple(mesh.name for mesh in meshes), tuple(notes))


def _nothing_mapped(target: bpy.types.Object, missing: list[str]) -> UniTalkerError:
    if missing:
        return UniTalkerError(
            "mapping.other_mesh",
            f"The mapping of '{target.name}' was made for another character: nothing here is called {some(missing)}.",
            "Press Fill from Detection in the panel Mapping, or turn Custom Mapping off.",
        )
    return UniTalkerError(
        "mapping.empty",
        f"The mapping of '{target.name}' has no row that moves anything.",
        "Press Fill from Detection in the panel Mapping, or turn Custom Mapping off.",
    )

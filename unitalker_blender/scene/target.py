"""The mesh that is to speak: found by name, and checked before anything is done."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..client.errors import UniTalkerError
from .shape_key_names import Match, Spellings, load_spellings, match


def find_object(scene: bpy.types.Scene, name: str) -> bpy.types.Object:
    """The object called `name`; UniTalkerError ``target.*`` when there is none or no name."""
    if not name:
        raise UniTalkerError(
            "target.none", "No object is selected.", "Select the mesh with the face, or choose it as Target."
        )
    found = scene.objects.get(name)
    if found is None:
        raise UniTalkerError(
            "target.not_found", f"There is no object '{name}' in the scene '{scene.name}'.", _candidates_hint(scene)
        )
    return found


def check_target(target: bpy.types.Object, scene: bpy.types.Scene) -> bpy.types.Key:
    """The shape keys of a mesh that can be animated; UniTalkerError ``target.*`` saying why it cannot."""
    if target.type != "MESH":
        children = [child.name for child in target.children_recursive if has_shape_keys(child)]
        raise UniTalkerError(
            "target.not_a_mesh",
            f"'{target.name}' is not a mesh.",
            f"Choose the mesh with the face: {', '.join(children)}." if children else _candidates_hint(scene),
        )
    key = target.data.shape_keys
    if not has_shape_keys(target):
        raise UniTalkerError("target.no_shape_keys", f"'{target.name}' has no shape keys.", _candidates_hint(scene))
    if not key.is_editable:
        raise UniTalkerError(
            "target.linked",
            f"The shape keys of '{target.name}' are linked from another file and cannot be animated here.",
            "Make a library override of the mesh, make it local (Object > Relations > Make Local), or animate it in "
            "its own file.",
        )
    if not key.use_relative:
        raise UniTalkerError(
            "target.absolute_keys",
            f"The shape keys of '{target.name}' are absolute: they are a sequence in time, not mixed.",
            "Turn on Relative in the shape key panel of the mesh.",
        )
    if key.animation_data is not None and key.animation_data.use_tweak_mode:
        raise UniTalkerError(
            "target.tweak_mode",
            f"An NLA strip of the shape keys of '{target.name}' is being edited (tweak mode).",
            "Leave tweak mode in the NLA editor (Tab) first.",
        )
    return key


def has_shape_keys(target: bpy.types.Object) -> bool:
    """Whether an object is a mesh with more than the basis."""
    return target.type == "MESH" and target.data.shape_keys is not None and len(target.data.shape_keys.key_blocks) > 1


def shape_key_names(key: bpy.types.Key) -> list[str]:
    """Names without the basis."""
    return [block.name for block in key.key_blocks if block != key.reference_key]


def arkit_spellings(assets: Path) -> Spellings:
    """The ARKit names and their spellings, from the folder `assets`."""
    return load_spellings(assets / "rigs" / "arkit52.json")


def match_channels(target: bpy.types.Object, channels: tuple[str, ...], spellings: Spellings, head: str) -> Match:
    """The shape keys that a head's channels drive; UniTalkerError ``target.none_recognised`` when there are none."""
    names = shape_key_names(target.data.shape_keys)
    found = match(channels, names, spellings)
    if not found.keys:
        raise UniTalkerError(
            "target.none_recognised",
            f"None of the {len(names)} shape keys of '{target.name}' ({_some(names)}) belongs to the head '{head}', "
            f"which looks for {_some(channels)} and {max(0, len(channels) - 4)} more.",
            "Rename the shape keys to their ARKit names (jawOpen, JawOpen, jaw_open and mouthSmile_L are all "
            "understood), choose the mesh that has them, or choose another head.",
        )
    return found


def _candidates_hint(scene: bpy.types.Scene) -> str:
    names = [item.name for item in scene.objects if has_shape_keys(item)]
    if not names:
        return "No mesh in the scene has shape keys; the face needs the ARKit ones (jawOpen, mouthSmileLeft, ...)."
    return f"Choose a mesh that has shape keys: {_some(names)}."


def _some(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(names[:4])
    return f"{shown}, ..." if len(names) > 4 else shown

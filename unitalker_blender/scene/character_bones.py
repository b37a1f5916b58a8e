"""The bones of head, jaw and eyes of a character, and the way its face looks."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ..client.errors import UniTalkerError
from .character import armature_of
from .rig_bones import bone_rows, face_axes, find_bones
from .rig_detection import Detection, some
from .rig_resolution import detected
from .rig_rows import Row

# What shape keys do already is not done by bones as well, with one exception: below these the teeth hang.
_TEETH = ("CC_Base_JawRoot",)


def find_bone_rows(face: bpy.types.Object, assets: Path) -> tuple[Row, ...]:
    """Rows for the bones that a character's armature has; those whose movement shape keys make already are muted.

    Raises:
        UniTalkerError: ``mapping.no_bones``.
    """
    armature = armature_of(face)
    if armature is None or armature.pose is None:
        raise UniTalkerError(
            "mapping.no_bones", f"'{face.name}' hangs on no armature.", "Add a row by hand, and choose bone or object."
        )
    names = [bone.name for bone in armature.pose.bones]
    found = find_bones(names, assets / "rigs")
    if not found:
        raise UniTalkerError(
            "mapping.no_bones",
            f"None of the bones of '{armature.name}' ({some(names)}) has a name that is known for head, jaw or eyes.",
            "Add a row by hand, and choose its bone.",
        )
    detection = detected(face, assets)
    axes = face_axes(_front(face, detection))
    rows: list[Row] = []
    for part, bone in found.items():
        rest = (armature.matrix_world @ armature.data.bones[bone].matrix_local).to_3x3()
        own = [tuple(rest.col[i].normalized()) for i in range(3)]
        rows += bone_rows(part, bone, own, axes, mute=_done_by_keys(part, bone, detection))
    return tuple(rows)


def _done_by_keys(part: str, bone: str, detection: Detection | None) -> bool:
    if detection is None or part == "head" or bone in _TEETH:
        return False
    wanted = "eyeLook" if part.endswith("Eye") else "jawOpen"
    channels = (detection.convention.channels[name] for name in detection.keys)
    return any(shape.startswith(wanted) for channel in channels for shape in (*channel.sum, *channel.pose))


def _front(face: bpy.types.Object, detection: Detection | None) -> tuple[float, float, float]:
    """Where a face looks, along the nearest world axis: from its middle to its mouth; -Y when it has none."""
    mouth = [
        key
        for name, keys in (detection.keys.items() if detection else ())
        if detection and detection.convention.channels[name].mouth
        for key in keys
    ]
    key = face.data.shape_keys
    if not mouth:
        return 0.0, -1.0, 0.0
    rest, moved = _coordinates(key.reference_key), _coordinates(key.key_blocks[mouth[0]])
    travel = np.linalg.norm(moved - rest, axis=1)
    middle = (rest.min(axis=0) + rest.max(axis=0)) / 2
    lips = rest[travel >= travel.max() / 2].mean(axis=0)
    local = lips - middle
    turn = np.array(face.matrix_world.to_3x3())
    ahead = turn @ local
    axis = int(np.abs(ahead[:2]).argmax())
    front = [0.0, 0.0, 0.0]
    front[axis] = 1.0 if ahead[axis] > 0 else -1.0
    return front[0], front[1], front[2]


def _coordinates(block: bpy.types.ShapeKey) -> np.ndarray:
    flat = np.empty(3 * len(block.data), np.float32)
    block.data.foreach_get("co", flat)
    return flat.reshape(-1, 3)

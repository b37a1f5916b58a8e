"""Rows for the bones that move with a face: head, jaw, eyes. Knows nothing of Blender."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from .rig_rows import Row
from .shape_key_names import fold

Vector = Sequence[float]

JAW_RANGE = math.radians(20)
EYE_RANGE = math.radians(30)
UNLIMITED = 1e6
"""Bones and objects have no sliders; what they may do is up to constraints."""

# Each movement: source, axis of the face (see `face_axes`), radians at 1; angles of the head are taken as they are.
_MOVES: Mapping[str, tuple[tuple[str, str, float], ...]] = {
    "head": (("headPitch", "left", 1.0), ("headYaw", "up", 1.0), ("headRoll", "front", 1.0)),
    "jaw": (("jawOpen", "left", JAW_RANGE),),
    "leftEye": (
        ("eyeLookDownLeft", "left", EYE_RANGE),
        ("eyeLookUpLeft", "left", -EYE_RANGE),
        ("eyeLookOutLeft", "up", EYE_RANGE),
        ("eyeLookInLeft", "up", -EYE_RANGE),
    ),
    "rightEye": (
        ("eyeLookDownRight", "left", EYE_RANGE),
        ("eyeLookUpRight", "left", -EYE_RANGE),
        ("eyeLookInRight", "up", EYE_RANGE),
        ("eyeLookOutRight", "up", -EYE_RANGE),
    ),
}


def find_bones(names: Sequence[str], rigs: Path) -> dict[str, str]:
    """Part of the face → bone, for the parts whose bone has a name in use."""
    folded = {fold(name): name for name in reversed(names)}
    found = {}
    for part, spellings in _known_names(rigs).items():
        bone = next((folded[fold(spelling)] for spelling in spellings if fold(spelling) in folded), None)
        if bone is not None:
            found[part] = bone
    return found


def face_axes(front: Vector) -> dict[str, Vector]:
    """Axes of a face about which turning goes the right way, in world space.

    About ``left`` it nods down, about ``up`` it turns to its own left, about ``front`` it leans to its own right:
    as the layers' angles do.

    Args:
        front: where it looks, level.
    """
    x, y = front[0], front[1]
    return {"left": (-y, x, 0.0), "up": (0.0, 0.0, 1.0), "front": (x, y, 0.0)}


def bone_rows(part: str, bone: str, rest: Sequence[Vector], axes: Mapping[str, Vector], mute: bool) -> tuple[Row, ...]:
    """The rows of one bone.

    Args:
        part: as `find_bones` calls it.
        rest: the bone's own x, y and z axis at rest, in world space.
        axes: of the face.
    """
    rows = []
    for source, axis, amount in _MOVES[part]:
        along = [sum(a * b for a, b in zip(own, axes[axis], strict=True)) for own in rest]
        nearest = max(range(3), key=lambda i: abs(along[i]))
        gain = math.copysign(amount, amount * along[nearest])
        channel = f"rotation_{'xyz'[nearest]}"
        rows.append(
            Row(bone, source, "BONE", channel=channel, gain=gain, minimum=-UNLIMITED, maximum=UNLIMITED, mute=mute)
        )
    return tuple(rows)


@functools.cache
def _known_names(rigs: Path) -> Mapping[str, Sequence[str]]:
    data = json.loads((rigs / "bones.json").read_text(encoding="utf-8"))
    found: Mapping[str, Sequence[str]] = data["bones"]
    return found

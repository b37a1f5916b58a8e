"""Rows of a mapping: which control follows which channel, and how. Knows nothing of Blender."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .rig_conventions import ARKIT, load_conventions
from .rig_detection import Detection, find

Kind = Literal["SHAPE_KEY", "BONE", "OBJECT"]
CHANNELS = ("rotation_x", "rotation_y", "rotation_z", "location_x", "location_y", "location_z")


@dataclass(frozen=True)
class Row:
    """``clip(gain · source + offset, minimum, maximum)`` goes to a shape key, or to a channel of a bone or an object.

    Attributes:
        target: name of the shape key or bone; empty for an object.
        object: name of the object that has it; empty for every mesh of the character, or for its armature.
        channel: of a bone or object, one of `CHANNELS`; empty for shape keys.
        gain: weight, radians or metres at 1; for a rotation that follows an angle of the head, a factor.
    """

    target: str
    source: str
    kind: Kind = "SHAPE_KEY"
    object: str = ""
    channel: str = ""
    gain: float = 1.0
    offset: float = 0.0
    minimum: float = 0.0
    maximum: float = 1.0
    mute: bool = False


def rows_of(detection: Detection, names: tuple[str, ...], rigs: Path) -> tuple[Row, ...]:
    """The rows for the shape keys `names` of a mesh: the convention's, and ARKit shapes of the eyes beside it."""
    rows = [*_convention_rows(detection)]
    taken = {row.target for row in rows} | {key for keys in detection.keys.values() for key in keys}
    if detection.convention.name != ARKIT:
        rest_of_face = find(load_conventions(rigs)[ARKIT], names)
        rows += [
            row
            for row in _convention_rows(rest_of_face)
            if row.target not in taken and not rest_of_face.convention.channels[row.source].mouth
        ]
    return tuple(rows)


def _convention_rows(detection: Detection) -> Iterator[Row]:
    for name, keys in detection.keys.items():
        channel = detection.convention.channels[name]
        if any(other in detection.keys for other in channel.unless):
            continue
        for key in keys:
            if channel.pose or channel.rest:
                yield Row(key, name)
            for shape, weight in channel.sum.items():
                yield Row(key, shape, gain=weight)

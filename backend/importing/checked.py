"""From numbers and names out of somebody's file to a motion whose numbers make sense."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

import numpy as np
from pydantic import ValidationError

from backend.annotation import Annotation, FaceMotion, Kind
from backend.errors import UniTalkerError

MOST_BYTES = 2 << 30
"""Of values in memory: as much as a result may take."""

_MOST_FPS = 1000.0
_KINDS: dict[str, Kind] = {"weight": "blendshapes", "m": "vertices", "parameter": "flame"}


def unreadable(path: Path, reason: str, hint: str = "Write it again with the program that made it.") -> UniTalkerError:
    """The error of every reader."""
    return UniTalkerError("motion.unreadable", f"{path} cannot be read as motion: {reason}.", hint)


def motion_of(
    path: Path, values: np.ndarray, names: Sequence[str], fps: float, unit: str, annotation: str, sound: str = ""
) -> FaceMotion:
    """The motion, its kind told by its unit.

    Args:
        path: where it comes from, for the message.
        values: (frames, channels), any real type.
        names: one per channel.
        fps: frames per second.
        unit: ``weight``, ``m`` or ``parameter``.
        annotation: name of the annotation type.
        sound: file name of its sound.

    Raises:
        UniTalkerError: ``motion.unreadable``.
    """
    kind = _KINDS.get(unit)
    if kind is None:
        raise unreadable(path, f"the unit {unit!r} is not weight, m or parameter")
    if not (math.isfinite(fps) and 0 < fps <= _MOST_FPS):
        raise unreadable(path, f"{fps} is no frame rate")
    if values.ndim != 2 or not len(values) or values.shape[1] != len(names):
        raise unreadable(path, f"values of shape {values.shape} for {len(names)} channel names")
    values = np.ascontiguousarray(values, np.float32)
    if not np.isfinite(values).all():
        frame, channel = np.argwhere(~np.isfinite(values))[0]
        raise unreadable(path, f"frame {frame} of {names[channel]} is not a number")
    try:
        described = Annotation(
            type_name=annotation,
            kind=kind,
            dim=len(names),
            fps=fps,
            unit=cast(Literal["weight", "m", "parameter"], unit),
            names=() if kind == "vertices" else tuple(names),
        )
    except ValidationError as error:
        raise unreadable(path, str(error.errors()[0]["msg"])) from error
    return FaceMotion(values, fps, described, sound=sound)

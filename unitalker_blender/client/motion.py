"""The `.npz` that the backend writes, read and checked."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import UniTalkerError


@dataclass(frozen=True)
class Motion:
    """Face motion.

    Attributes:
        values: float32, shape ``(frames, channels)``.
        names: one per channel.
        fps: frames per second; frame ``i`` is at ``i / fps`` seconds of the sound.
        unit: ``weight``, ``m`` or ``parameter``.
        annotation: name of the head's annotation type.
    """

    values: np.ndarray
    names: tuple[str, ...]
    fps: float
    unit: str
    annotation: str


def load_motion(path: Path) -> Motion:
    """Read a result; UniTalkerError ``result.unreadable`` when it is not what docs/protocol.md says."""
    try:
        with np.load(path, allow_pickle=False) as data:
            motion = Motion(
                values=data["values"],
                names=tuple(str(name) for name in data["names"]),
                fps=float(data["fps"]),
                unit=str(data["unit"]),
                annotation=str(data["annotation"]),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(path, str(error)) from error
    values = motion.values
    if values.dtype != np.float32 or values.ndim != 2 or values.shape[1] != len(motion.names):
        raise _unreadable(path, f"{values.dtype} {values.shape} for {len(motion.names)} channels")
    if not len(values) or not np.isfinite(values).all():
        raise _unreadable(path, "no frames, or values that are not numbers")
    return motion


def _unreadable(path: Path, reason: str) -> UniTalkerError:
    return UniTalkerError(
        "result.unreadable",
        f"The backend's result {path.name} cannot be used: {reason}.",
        "Nothing was changed. Check Backend in the preferences shows whether add-on and backend fit together.",
    )

"""A recording of a face that speaks, and what part of it is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from backend.annotation import Annotation
from backend.audio import SAMPLE_RATE
from backend.errors import UniTalkerError

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

LONGEST_CLIP = 20.0
"""Seconds that the released code trains on; the rest of a clip is left out."""
SHORTEST_CLIP = 0.5
LONGEST_MISMATCH = 0.5
"""Seconds by which sound and motion may differ in length; beyond that they are hardly of one recording."""

DECIMATION = {25.0: 1, 30.0: 1, 60.0: 2, 100.0: 4}
"""Frame rates that are trained on, and every how many frames one is taken."""

HEAD_CHANNELS = ("headPitch", "headYaw", "headRoll")
"""Radians; what `Clip.head` holds."""


@dataclass(frozen=True)
class Clip:
    """A recording.

    Attributes:
        name: file name without ending, unique in its data set.
        audio: float32, 16 kHz mono.
        motion: float32 (T, D), displacement from the identity's template, unit of the annotation.
        identity: whose face it is.
        annotation: what the channels are; its `fps` is that of `motion`.
        head: float32 (T, 3), the `HEAD_CHANNELS`, where the recording has them.
        template: float32 (D,), what `motion` is added to; only of FLAME parameters, whose vertices depend on it.
    """

    name: str
    audio: np.ndarray
    motion: np.ndarray
    identity: str
    annotation: Annotation
    head: np.ndarray | None = None
    template: np.ndarray | None = None

    @property
    def fps(self) -> float:
        return self.annotation.fps


def trained_seconds(samples: int, frames: int, fps: float) -> float:
    """Seconds of a clip that are trained on: what has both sound and motion, at most 20 s.

    Source: the released data set loader, whose arithmetic this is.
    """
    return min(samples / SAMPLE_RATE, frames / fps, LONGEST_CLIP)


def samples_in(seconds: float) -> int:
    """16 kHz samples."""
    return round(seconds * SAMPLE_RATE)


def check_finite(motion: np.ndarray, fps: float, label: str) -> None:
    """Raises ``data.not_finite``, naming the first frame, for NaN and infinite numbers in (T, D)."""
    broken = np.flatnonzero(~np.isfinite(motion).all(axis=1))
    if len(broken):
        raise UniTalkerError(
            "data.not_finite",
            f"{label} contains NaN or infinite numbers in {len(broken)} of {len(motion)} frames, "
            f"the first at {broken[0] / fps:.2f} s.",
            "Repair or remove it.",
        )


def check_length(samples: int, frames: int, fps: float, label: str) -> None:
    """Raises ``data.length`` when sound and motion differ by more than half a second."""
    sound, motion = samples / SAMPLE_RATE, frames / fps
    if abs(sound - motion) > LONGEST_MISMATCH:
        raise UniTalkerError(
            "data.length",
            f"{label} has {sound:.2f} s of sound and {motion:.2f} s of motion at {fps:g} fps, "
            f"more than {LONGEST_MISMATCH} s apart.",
            "Check the frame rate and that both begin together; unitalker train data convert leaves such clips out.",
        )

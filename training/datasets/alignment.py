"""What of a recording is compared to tell how far its mouth is off its sound: an opening, and a loudness."""

from __future__ import annotations

import numpy as np

from backend.annotation import Annotation
from training.motion_measures.lips import face_axes, find_lips
from training.silence import speech_level

_LEVEL_STEP = 0.01
_OPENING_NAMES = ("jawopen", "mouthopen", "jawdrop", "mouthstretchc")
"""In the order of preference, without underscores; the last is FACEGOOD's."""
_CLOSING_NAME = "mouthclose"
_MOUTH_WORDS = ("mouth", "jaw", "lip")
_MOVING_SHARE = 0.02
_FLAME_JAW = 400
"""Of the 413 FLAME parameters, the rotation that opens the jaw."""


def opening_of(
    annotation: Annotation, motion: np.ndarray, template: np.ndarray | None = None, lips: np.ndarray | None = None
) -> np.ndarray:
    """How far the mouth is open, (T,), in a unit of its own.

    ARKit weights: jawOpen less mouthClose. Other weights: the one that opens, or the size of all that move the mouth.
    Vertices: the gap between the lips, or without `lips` how far down goes what moves most. FLAME: the
    jaw's rotation.

    Args:
        annotation: what the channels are.
        motion: (T, D), displacement from the resting face.
        template: (D,) resting face; needed for vertices.
        lips: vertices that are the lips.
    """
    if annotation.kind == "vertices":
        if template is None:
            raise ValueError(f"{annotation.type_name}: vertices without a template")
        points, face = motion.reshape(len(motion), -1, 3), template.reshape(-1, 3)
        return _lowering(points, face) if lips is None else find_lips(points, face, lips).gap(points + face)
    if annotation.kind == "flame":
        return motion[:, min(_FLAME_JAW, annotation.dim - 1)]
    return _opening_of_weights(motion, [name.lower().replace("_", "") for name in annotation.names])


def sound_level(audio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loudness in dB and the seconds at which it is heard, each (n,), of float32 16 kHz sound."""
    level = speech_level(audio)
    # Level `i` is of the 20 ms from 10 i ms on.
    return level, (np.arange(len(level)) + 1) * _LEVEL_STEP


def _opening_of_weights(motion: np.ndarray, names: list[str]) -> np.ndarray:
    for name in _OPENING_NAMES:
        if name in names:
            closing = motion[:, names.index(_CLOSING_NAME)] if _CLOSING_NAME in names else 0
            opening: np.ndarray = motion[:, names.index(name)] - closing
            return opening
    mouth = [index for index, name in enumerate(names) if any(word in name for word in _MOUTH_WORDS)]
    return _size(motion[:, mouth] if mouth else motion)


def _lowering(displacement: np.ndarray, face: np.ndarray) -> np.ndarray:
    """How far those of the displacements (T, V, 3) that are largest go towards the chin."""
    reach = np.ptp(displacement[:: max(len(displacement) // 50, 1)], axis=0).max(axis=1)
    moving = np.argsort(reach)[-max(round(_MOVING_SHARE * len(reach)), 1) :]
    up = face_axes(face, moving)[1]
    down = up * np.sign((face[moving] - face.mean(axis=0)).mean(axis=0) @ up)
    lowering: np.ndarray = displacement[:, moving].mean(axis=1) @ down
    return lowering


def _size(values: np.ndarray) -> np.ndarray:
    size: np.ndarray = np.sqrt(np.square(values).mean(axis=1))
    return size

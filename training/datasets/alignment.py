"""How far the mouth of a recording is off its sound: loudness against opening, by cross-correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import signal

from training.datasets.clip import Clip
from training.silence import speech_level

LARGEST_OFFSET = 0.5
"""Seconds up to which an offset is looked for."""

_RATE = 100.0
"""Hz at which loudness and opening are compared."""
_LEVEL_RANGE = 40.0
"""dB below the loudest that count as silence."""
_SYLLABLES = (2.0, 8.0)
"""Hz; slower changes are those of sentences, which many offsets fit equally well."""
_OPENING_NAMES = ("jawopen", "mouthopen", "jawdrop", "mouthstretchc")
"""In the order of preference, without underscores; the last is FACEGOOD's."""
_CLOSING_NAME = "mouthclose"
_MOUTH_WORDS = ("mouth", "jaw", "lip")
_MOVING_SHARE = 0.02
_FLAME_JAW = 400
"""Of the 413 FLAME parameters, the rotation that opens the jaw."""


@dataclass(frozen=True)
class Alignment:
    """Of one or many clips.

    Attributes:
        offset: seconds by which the motion is late; negative when it comes before the sound. Mouths move a little
            before they sound, so that 0 to -0.1 is natural.
        correlation: at this offset, 0 to 1; below 0.2 the offset means nothing.
    """

    offset: float
    correlation: float


class AlignmentMeter:
    """Adds clips up: a sentence alone is too short to tell."""

    def __init__(self) -> None:
        reach = round(LARGEST_OFFSET * _RATE)
        self._shifts = range(-reach, reach + 1)
        self._products = np.zeros(len(self._shifts))
        self._weight = 0.0

    def add(self, opening: np.ndarray, fps: float, audio: np.ndarray) -> None:
        """Takes up a clip; one of less than a second, or without sound or motion, adds nothing.

        Args:
            opening: (T,), from `opening_of`.
            fps: of it.
            audio: float32, 16 kHz.
        """
        loudness = loudness_of(audio)
        grid = np.arange(0, min(len(opening) / fps, len(loudness) / _RATE), 1 / _RATE)
        if len(grid) < 2 * LARGEST_OFFSET * _RATE:
            return
        mouth = _syllables(np.interp(grid, np.arange(len(opening)) / fps, opening))
        # Level `i` is of the 20 ms from 10 i ms on.
        sound = _syllables(np.interp(grid, np.arange(len(loudness)) / _RATE + 1 / _RATE, loudness))
        scale = float(np.sqrt(np.square(mouth).sum() * np.square(sound).sum()))
        if np.isfinite(scale) and scale > 1e-9:
            self._products += np.array([_product(mouth, sound, shift) for shift in self._shifts]) / scale * len(grid)
            self._weight += len(grid)

    @property
    def alignment(self) -> Alignment | None:
        """Of all clips so far; ``None`` when nothing could be compared."""
        if not self._weight:
            return None
        curve = self._products / self._weight
        peak = int(np.argmax(curve))
        return Alignment((self._shifts[peak] + _summit(curve, peak)) / _RATE, float(curve[peak]))


def opening_of(clip: Clip, template: np.ndarray | None = None, lips: np.ndarray | None = None) -> np.ndarray:
    """How far the mouth is open, (T,), in a unit of its own.

    ARKit weights: jawOpen less mouthClose. Other weights: the one that opens, or the size of all that move the mouth.
    Vertices: how far upper and lower lips move apart, or without `lips` how far down goes what moves most. FLAME: the
    jaw's rotation.

    Args:
        clip: whose motion is looked at.
        template: (D,) resting face; needed for vertices.
        lips: vertices that are the lips.
    """
    annotation, motion = clip.annotation, clip.motion
    if annotation.kind == "vertices":
        if template is None:
            raise ValueError(f"{clip.name}: vertices without a template")
        points, face = motion.reshape(len(motion), -1, 3), template.reshape(-1, 3)
        return _lowering(points, face) if lips is None else _spread(points[:, lips], face, lips)
    if annotation.kind == "flame":
        return motion[:, min(_FLAME_JAW, annotation.dim - 1)]
    return _opening_of_weights(motion, [name.lower().replace("_", "") for name in annotation.names])


def loudness_of(audio: np.ndarray) -> np.ndarray:
    """dB above silence, 100 times a second, of 16 kHz sound; 0 is 40 dB below the loudest."""
    level = speech_level(audio)
    if not len(level):
        return level
    loudness: np.ndarray = np.maximum(level - (level.max() - _LEVEL_RANGE), 0)
    return loudness


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
    up = _up(face, moving)
    down = up * np.sign((face[moving] - face.mean(axis=0)).mean(axis=0) @ up)
    lowering: np.ndarray = displacement[:, moving].mean(axis=1) @ down
    return lowering


def _spread(displacement: np.ndarray, face: np.ndarray, lips: np.ndarray) -> np.ndarray:
    """How far displacements (T, L, 3) take the lips of a resting face (V, 3) apart, up and down."""
    up = _up(face, lips)
    places = face[lips] - face[lips].mean(axis=0)
    moved = displacement - displacement.mean(axis=1, keepdims=True)
    opening: np.ndarray = (moved @ up) @ (places @ up)
    return opening


def _up(face: np.ndarray, mouth: np.ndarray) -> np.ndarray:
    """Unit vector along the height of a face (V, 3), up or down.

    Whatever the axes of a data set: a mouth is widest from side to side, and across that a face is higher than deep.
    """
    side = np.linalg.svd(face[mouth] - face[mouth].mean(axis=0), full_matrices=False)[2][0]
    centred = face - face.mean(axis=0)
    up: np.ndarray = np.linalg.svd(centred - np.outer(centred @ side, side), full_matrices=False)[2][0]
    return up


def _size(values: np.ndarray) -> np.ndarray:
    size: np.ndarray = np.sqrt(np.square(values).mean(axis=1))
    return size


def _syllables(values: np.ndarray) -> np.ndarray:
    """What changes as fast as syllables do."""
    band = signal.butter(2, _SYLLABLES, "bandpass", fs=_RATE, output="sos")
    changing: np.ndarray = signal.sosfiltfilt(band, values)
    return changing


def _product(mouth: np.ndarray, sound: np.ndarray, shift: int) -> float:
    """Of the mouth `shift` steps later with the sound as it is."""
    if shift >= 0:
        return float(mouth[shift:] @ sound[: len(sound) - shift])
    return float(mouth[:shift] @ sound[-shift:])


def _summit(curve: np.ndarray, peak: int) -> float:
    """Where the parabola through the peak and its neighbours is highest, in steps from the peak."""
    if not 0 < peak < len(curve) - 1:
        return 0.0
    before, at, after = curve[peak - 1 : peak + 2]
    bend = before - 2 * at + after
    return float(0.5 * (before - after) / bend) if bend < 0 else 0.0

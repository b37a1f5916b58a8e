"""Articulation rules for synthetic labels: what MediaPipe measures too weakly, or a mean over takes blurs, made plain.

They work on ARKit weights relative to the resting face and on articulatory features, so they hold for any language.
Real labels are never touched. Strengths are in blendshape weights: the least that is visible, chosen on nine GRID
speakers whom the teacher has not seen. Stretch of [i] and lip press of [p] are left to the teacher, because measured
faces contradict a rule for them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.synthesis.phones import FEATURE_INDEX
from training.synthesis.timeline import Track

_SIDES = ("Left", "Right")

_HALF_WINDOW = 0.02
_FULL_COVERAGE = 0.03
_SMOOTHING = np.array([0.25, 0.5, 0.25])

_CLOSURE_RAMP = 0.05
_LONGEST_RELEASE = 0.03
_LABIODENTAL_RAMP = 0.05

PUCKER, FUNNEL, LOWER_DOWN = 0.25, 0.12, 0.03
ROLL_LOWER, UPPER_UP = 0.15, 0.06
OPEN_VOWEL, RAISED_JAW = 0.15, 0.25


class Articulator:
    """Applies the rules to one utterance after the other.

    Args:
        names: channel names of the labels, ARKit's.
        fps: their frame rate; frame ``i`` is at ``i / fps`` seconds.
    """

    def __init__(self, names: Sequence[str], fps: float) -> None:
        self._index = {name: i for i, name in enumerate(names)}
        self._fps = fps

    def __call__(self, motion: np.ndarray, phones: Track) -> np.ndarray:
        """The motion with every closure closed, lips on teeth for f and v, rounding and jaw height by vowel.

        Args:
            motion: float32 (T, channels) relative to rest.
            phones: of the same utterance.

        Returns:
            float32 (T, channels), within 0 to 1, ``mouthClose`` never above ``jawOpen``.
        """
        values = np.clip(motion.astype(np.float64), 0.0, 1.0)
        labiodental = labiodental_contact(phones, len(values), self._fps)
        self._height(values, phones)
        self._lips(values, phones)
        self._lip_on_teeth(values, labiodental)
        self._close(values, closure(phones, len(values), self._fps), labiodental)
        return np.clip(values, 0.0, 1.0).astype(np.float32)

    def _height(self, values: np.ndarray, phones: Track) -> None:
        opening = _feature(phones, "opening")
        opened = coverage(phones, np.clip((opening - 0.5) / 0.45, 0, 1), len(values), self._fps)
        raised = coverage(phones, _feature(phones, "raised_jaw"), len(values), self._fps)
        jaw = self._index["jawOpen"]
        values[:, jaw] *= (1 + OPEN_VOWEL * opened) * (1 - RAISED_JAW * raised)

    def _lips(self, values: np.ndarray, phones: Track) -> None:
        spread, opening = _feature(phones, "spread"), _feature(phones, "opening")
        # Lower teeth show in [e] and [i], less in [s].
        shown_teeth = np.maximum(0.6 * spread + 0.5 * spread * opening, 0.5 * (_feature(phones, "raised_jaw") == 1))
        for names, strength, degree in (
            (("mouthPucker",), PUCKER, _feature(phones, "rounding")),
            (("mouthFunnel",), FUNNEL, _feature(phones, "protrusion")),
            (_both("mouthLowerDown"), LOWER_DOWN, np.clip(shown_teeth, 0, 0.8)),
        ):
            least = strength * coverage(phones, degree, len(values), self._fps)
            for name in names:
                values[:, self._index[name]] = np.maximum(values[:, self._index[name]], least)

    def _lip_on_teeth(self, values: np.ndarray, contact: np.ndarray) -> None:
        for name, least in (("mouthRollLower", ROLL_LOWER), *((name, UPPER_UP) for name in _both("mouthUpperUp"))):
            values[:, self._index[name]] = np.maximum(values[:, self._index[name]], least * contact)
        for name in _both("mouthLowerDown"):
            values[:, self._index[name]] *= 1 - contact

    def _close(self, values: np.ndarray, closed: np.ndarray, labiodental: np.ndarray) -> None:
        jaw, close = self._index["jawOpen"], self._index["mouthClose"]
        aperture = np.maximum(values[:, jaw] - values[:, close], 0)
        values[:, jaw] *= (1 - 0.25 * closed) * (1 - 0.3 * labiodental)
        aperture = np.minimum(aperture * (1 - closed) * (1 - 0.5 * labiodental), values[:, jaw])
        values[:, close] = values[:, jaw] - aperture
        for name in _both("mouthLowerDown"):
            values[:, self._index[name]] *= 1 - closed


def _both(name: str) -> tuple[str, str]:
    return name + _SIDES[0], name + _SIDES[1]


def _feature(phones: Track, name: str) -> np.ndarray:
    column: np.ndarray = phones.features[:, FEATURE_INDEX[name]].astype(np.float64)
    return column


def coverage(phones: Track, degree: np.ndarray, frames: int, fps: float) -> np.ndarray:
    """How much of each frame's surroundings a gesture fills, 0 to 1, smoothed over three frames.

    Args:
        phones: N entries.
        degree: (N,) how strongly each entry makes the gesture.
        frames: number of frames.
        fps: frame rate.
    """
    result = np.zeros(frames)
    times = np.arange(frames) / fps
    for start, end, strength in zip(phones.starts, phones.ends, degree, strict=True):
        if strength > 0:
            overlap = np.minimum(end, times + _HALF_WINDOW) - np.maximum(start, times - _HALF_WINDOW)
            result = np.maximum(result, strength * np.clip(overlap / _FULL_COVERAGE, 0, 1))
    return np.convolve(np.pad(result, 1, mode="edge"), _SMOOTHING, "valid")


def closure(phones: Track, frames: int, fps: float) -> np.ndarray:
    """Lip closure in each frame, 0 to 1: 1 on at least the frame nearest to every p, b and m.

    Between frames the closure holds from the start of the phone to its release and ramps over 50 ms on both sides;
    a stop is released in its last third, at most 30 ms.
    """
    bilabial, plosive = _feature(phones, "bilabial"), _feature(phones, "plosive")
    holds = []
    for start, end, stop in zip(phones.starts, phones.ends, plosive, strict=True):
        holds.append((start, end - stop * min((end - start) / 3, _LONGEST_RELEASE)))
    return _contact(holds, bilabial, frames, fps, _CLOSURE_RAMP)


def labiodental_contact(phones: Track, frames: int, fps: float) -> np.ndarray:
    """Contact of lower lip and upper teeth in each frame, 0 to 1: full on at least one frame of every f and v."""
    holds = list(zip(phones.starts, phones.ends, strict=True))
    return _contact(holds, _feature(phones, "labiodental"), frames, fps, _LABIODENTAL_RAMP)


def _contact(
    holds: Sequence[tuple[float, float]], degree: np.ndarray, frames: int, fps: float, ramp: float
) -> np.ndarray:
    result = np.zeros(frames)
    times = np.arange(frames) / fps
    for (start, end), strength in zip(holds, degree, strict=True):
        if strength <= 0 or frames == 0:
            continue
        distance = np.maximum(np.maximum(start - times, times - end), 0)
        contact = np.clip(1 - distance / ramp, 0, 1)
        contact[int(np.argmin(np.abs(times - (start + end) / 2)))] = 1
        result = np.maximum(result, strength * contact)
    return result

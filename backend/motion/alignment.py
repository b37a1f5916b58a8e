"""How far the mouth is off its sound: loudness against opening, by cross-correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.prosody import FRAMES_PER_SECOND, Prosody

LARGEST_OFFSET = 0.5
"""Seconds up to which an offset is looked for."""

_RATE = 100.0
"""Hz at which loudness and opening are compared."""
_LEVEL_RANGE = 40.0
"""dB below the loudest that count as silence."""
_SYLLABLES = (2.0, 8.0)
"""Hz; slower changes are those of sentences, which many offsets fit equally well."""
_REACH = round(LARGEST_OFFSET * _RATE)


@dataclass(frozen=True)
class Alignment:
    """Of one or many recordings.

    Attributes:
        offset: seconds by which the motion is late; negative when it comes before the sound. Mouths move a little
            before they sound, so that 0 to -0.1 is natural.
        correlation: at this offset, 0 to 1; below 0.2 the offset means nothing.
    """

    offset: float
    correlation: float


class AlignmentMeter:
    """Adds recordings up: a sentence alone is too short to tell."""

    def __init__(self) -> None:
        self._curves = np.zeros(2 * _REACH + 1)
        self._seconds = 0.0

    def add(self, opening: np.ndarray, fps: float, level: np.ndarray, times: np.ndarray) -> None:
        """Takes up a recording; see `offset_curve`, which says what adds nothing."""
        curve = offset_curve(opening, fps, level, times)
        if curve is not None:
            seconds = _seconds_compared(len(opening) / fps, times)
            self._curves += curve * seconds
            self._seconds += seconds

    @property
    def alignment(self) -> Alignment | None:
        """Of all recordings so far; ``None`` when nothing could be compared."""
        return find_summit(self._curves / self._seconds) if self._seconds else None


def find_alignment(opening: np.ndarray, fps: float, voice: Prosody) -> Alignment | None:
    """Of a single recording; arguments as of `offset_curve`, None where that gives None."""
    meter = AlignmentMeter()
    meter.add(opening, fps, voice.loudness, np.arange(len(voice.loudness)) / FRAMES_PER_SECOND)
    return meter.alignment


def offset_curve(opening: np.ndarray, fps: float, level: np.ndarray, times: np.ndarray) -> np.ndarray | None:
    """Correlation of mouth and sound at each offset from -0.5 to 0.5 s.

    Args:
        opening: (frames,), how far the mouth is open, in any unit.
        fps: frames per second; frame ``i`` is at ``i / fps`` seconds.
        level: (n,), loudness in dB.
        times: (n,), seconds, rising.

    Returns:
        (101,), in steps of 10 ms; None for less than a second, or without sound or motion.
    """
    seconds = _seconds_compared(len(opening) / fps, times)
    if seconds < 2 * LARGEST_OFFSET:
        return None
    grid = np.arange(0, seconds, 1 / _RATE)
    mouth = _at_syllable_rate(np.interp(grid, np.arange(len(opening)) / fps, opening))
    audible = np.maximum(level - (level.max() - _LEVEL_RANGE), 0)
    sound = _at_syllable_rate(np.interp(grid, times, audible))
    scale = float(np.sqrt(np.square(mouth).sum() * np.square(sound).sum()))
    if not (np.isfinite(scale) and scale > 1e-9):
        return None
    products = np.correlate(np.pad(mouth, _REACH), sound, mode="valid")
    curve: np.ndarray = products / scale
    return curve


def find_summit(curve: np.ndarray) -> Alignment:
    """The offset at which a correlation, (101,) from -0.5 to 0.5 s, is highest; between steps by a parabola."""
    peak = int(np.argmax(curve))
    step = 0.0
    if 0 < peak < len(curve) - 1:
        before, at, after = curve[peak - 1 : peak + 2]
        bend = before - 2 * at + after
        step = float(0.5 * (before - after) / bend) if bend < 0 else 0.0
    return Alignment((peak - _REACH + step) / _RATE, float(curve[peak]))


def _seconds_compared(motion: float, times: np.ndarray) -> float:
    return min(motion, float(times[-1]) + 1 / _RATE) if len(times) else 0.0


def _at_syllable_rate(values: np.ndarray) -> np.ndarray:
    """What changes as fast as syllables do: the response of a Butterworth band-pass run forth and back."""
    mirrored = np.concatenate([values, values[::-1]])
    frequencies = np.fft.rfftfreq(len(mirrored), 1 / _RATE)
    low, high = _SYLLABLES
    distance = (frequencies**2 - low * high) / (np.maximum(frequencies, 1e-6) * (high - low))
    filtered = np.fft.irfft(np.fft.rfft(mirrored) / (1 + distance**4), len(mirrored))
    changing: np.ndarray = filtered[: len(values)]
    return changing

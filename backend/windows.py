"""How a sound is cut into windows for the network, and how their motion is put together again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from backend.audio import SAMPLE_RATE

WINDOW_SECONDS = 25
OVERLAP_SECONDS = 5
STEP_SECONDS = WINDOW_SECONDS - OVERLAP_SECONDS
WINDOWS = f"{WINDOW_SECONDS} s, {OVERLAP_SECONDS} s overlap"
"""How a sound is cut, which is part of what a take is made with."""


@dataclass(frozen=True)
class Window:
    """A stretch of the sound: samples `start` to `stop`, frames from `first_frame` on."""

    start: int
    stop: int
    first_frame: int
    frames: int

    @property
    def end_frame(self) -> int:
        return self.first_frame + self.frames


def frame_count(samples: int, fps: float) -> int:
    """Frames for a stretch of sound: the official code's arithmetic, halves to even in double precision."""
    return round(samples / SAMPLE_RATE * fps)


def split_windows(samples: int, fps: float) -> list[Window]:
    """Windows of 25 s that overlap by 5 s; the last takes what remains (as the official demo cuts)."""
    length, step = WINDOW_SECONDS * SAMPLE_RATE, STEP_SECONDS * SAMPLE_RATE
    count = max(0, math.ceil((samples - length) / step)) + 1
    windows = []
    for index in range(count):
        start, stop = index * step, min(index * step + length, samples)
        first = round(index * STEP_SECONDS * fps)
        windows.append(Window(start, stop, first, frame_count(stop - start, fps)))
    return windows


def cross_fade(values: np.ndarray, window: np.ndarray, first: int, filled: int) -> None:
    """Put a window's frames into `values` in place, fading linearly over what is filled already.

    Args:
        values: float32 (all frames, channels), final up to frame `filled`.
        window: (frames, channels).
        first: frame of `values` at which the window starts, at most `filled`.
        filled: end of the preceding window; 0 for the first.
    """
    overlap = min(filled - first, len(window))
    if overlap > 0:
        # Both ends inclusive and in double precision, as in the official demo.
        old = np.linspace(1, 0, overlap)[:, None]
        blended = values[first : first + overlap] * old + window[:overlap] * (1 - old)
        values[first : first + overlap] = blended
    values[first + overlap : first + len(window)] = window[overlap:]

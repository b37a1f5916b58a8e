"""Less jitter, without lag and without flattening the mouth's peaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.annotation import FaceMotion

_ORDER = 2


def smooth(motion: FaceMotion, seconds: float) -> FaceMotion:
    """Savitzky-Golay filter: every value becomes that of the parabola fitted to the window around it.

    Symmetric, so nothing arrives later; a parabola passes unchanged, so a peak keeps its height better than under a
    moving average (Savitzky and Golay 1964). The first and last half window are read off the outermost parabolas.
    A window of fewer than five frames, through which a parabola is no constraint, changes nothing.

    Args:
        motion: what to smooth.
        seconds: length of the window, zero or more; 0.2 s calms jitter at 25 fps and keeps syllables.
    """
    if not (np.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"smoothing {seconds} is not a number of seconds from 0 up")
    frames = len(motion.values)
    half = min(round(seconds * motion.fps / 2), (frames - 1) // 2)
    if half <= _ORDER // 2:
        return motion
    projection = _parabola_fit(half)
    window = 2 * half + 1
    smoothed = np.zeros_like(motion.values)
    middle = smoothed[half : frames - half]
    for offset, weight in enumerate(projection[half]):
        middle += weight * motion.values[offset : offset + frames - window + 1]
    smoothed[:half] = projection[:half] @ motion.values[:window]
    smoothed[frames - half :] = projection[half + 1 :] @ motion.values[-window:]
    return replace(motion, values=smoothed)


def _parabola_fit(half: int) -> np.ndarray:
    """Matrix (window, window), float32, from samples to the values of their least-squares parabola."""
    powers = np.vander(np.linspace(-1, 1, 2 * half + 1), _ORDER + 1)
    return (powers @ np.linalg.pinv(powers)).astype(np.float32)

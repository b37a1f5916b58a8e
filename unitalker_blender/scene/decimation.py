"""Which frames of a curve get a key. Knows nothing of Blender."""

from __future__ import annotations

import numpy as np


def every_nth(count: int, step: int) -> np.ndarray:
    """Indices of every `step`-th of `count` frames, and of the last, int64 in rising order."""
    return np.union1d(np.arange(0, count, step), [count - 1])


def within_error(values: np.ndarray, error: float) -> np.ndarray:
    """Indices of keys between which straight lines stay within `error` of a curve.

    Ramer, Douglas and Peucker's method with vertical distances, since a curve over time is a function: a segment is
    divided at its worst frame until none is worse than `error`. All segments are divided at the same time.

    Args:
        values: shape ``(frames,)``, at least one.
        error: in the unit of `values`.

    Returns:
        int64 in rising order, with the first and the last frame.
    """
    keys = np.unique([0, len(values) - 1])
    pending = np.arange(len(values))  # frames of segments that are not good yet
    while len(pending):
        distance = np.abs(np.interp(pending, keys, values[keys]) - values[pending])
        segment = np.searchsorted(keys, pending, side="right")
        worst, of_segment = _worst(distance, segment, error)
        keys = np.union1d(keys, pending[worst])
        pending = pending[of_segment]
    return keys


def worst_between(distance: np.ndarray, keys: np.ndarray, error: float) -> np.ndarray:
    """Of each segment between neighbouring `keys`, the frame that is farthest away, where that is beyond `error`.

    Args:
        distance: of each frame from its curve, shape ``(frames,)``.
        keys: indices in rising order, with the first and the last frame.

    Returns:
        Indices in rising order, at most one for each segment.
    """
    return _worst(distance, np.repeat(np.arange(len(keys)), np.diff(keys, append=len(distance))), error)[0]


def _worst(distance: np.ndarray, segment: np.ndarray, error: float) -> tuple[np.ndarray, np.ndarray]:
    """Index of the largest distance in each segment where it is beyond `error`, and which distances are in such."""
    starts = np.flatnonzero(np.diff(segment, prepend=-1))
    sizes = np.diff(starts, append=len(distance))
    largest = np.repeat(np.maximum.reduceat(distance, starts), sizes)
    of_bad = largest > error
    candidates = np.flatnonzero(of_bad & (distance == largest))
    _, first = np.unique(segment[candidates], return_index=True)
    return candidates[first], of_bad

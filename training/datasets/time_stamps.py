"""Frames at the times at which they were taken, put on an even grid."""

from __future__ import annotations

import numpy as np

LONGEST_FILLED_GAP = 0.2
"""Seconds; over a longer one a mouth closes and opens again, so nothing is made up."""


def on_even_grid(times: np.ndarray, values: np.ndarray, fps: float) -> np.ndarray:
    """Values between frames that a camera dropped or took a little early or late.

    Args:
        times: seconds (T,), not falling.
        values: (T, D); NaN rows are frames in which nothing was seen.
        fps: of the result.

    Returns:
        float32 (frames, D); frame ``i`` is at ``times[0] + i / fps``. NaN where the nearest seen frames before and
        after are more than `LONGEST_FILLED_GAP` apart.
    """
    frames = round((times[-1] - times[0]) * fps) + 1
    grid = times[0] + np.arange(frames) / fps
    seen = np.isfinite(values).all(axis=1)
    result = np.full((frames, values.shape[1]), np.nan, np.float32)
    if not seen.any():
        return result
    at, known = times[seen], values[seen]
    after = np.clip(np.searchsorted(at, grid), 0, len(at) - 1)
    before = np.maximum(after - 1, 0)
    step = at[after] - at[before]
    inside = np.where(step > 0, (grid - at[before]) / np.where(step > 0, step, 1), 0)
    share = np.clip(inside, 0, 1)[:, None]
    between = (1 - share) * known[before] + share * known[after]
    # Half a frame of tolerance: the grid need not meet the first and the last frame exactly.
    beyond = np.maximum(at[0] - grid, grid - at[-1]) > 0.5 / fps
    on_frame = np.minimum(np.abs(grid - at[before]), np.abs(grid - at[after])) <= 0.5 / fps
    usable = ((step <= LONGEST_FILLED_GAP) | on_frame) & ~beyond
    result[usable] = between[usable]
    return result

"""From the head's frame rate to the scene's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.annotation import FaceMotion


def resample(motion: FaceMotion, fps: float, offset: float = 0.0) -> FaceMotion:
    """Linear interpolation on exact time stamps: frame ``i`` of the result is at ``i / fps`` seconds.

    The duration is kept to the nearest frame. What lies beyond the first and the last given frame repeats them.

    Args:
        motion: at any rate.
        fps: frames per second of the result.
        offset: seconds by which all comes later; below 0 earlier. Frames need not be met.
    """
    if not (np.isfinite(fps) and fps > 0):
        raise ValueError(f"{fps} is not a frame rate")
    if fps == motion.fps and offset == 0:
        return motion
    count = max(1, round(len(motion.values) * fps / motion.fps))
    positions = np.arange(count) * (motion.fps / fps) - offset * motion.fps
    positions = np.clip(positions, 0, len(motion.values) - 1)
    before = np.floor(positions).astype(np.intp)
    after = np.minimum(before + 1, len(motion.values) - 1)
    weight = (positions - before).astype(np.float32)[:, None]
    values = motion.values[before] * (1 - weight)
    values += motion.values[after] * weight
    return replace(motion, values=values, fps=fps)

"""From the head's frame rate to the scene's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.annotation import FaceMotion


def resample(motion: FaceMotion, fps: float) -> FaceMotion:
    """Linear interpolation on exact time stamps: frame ``i`` of the result is at ``i / fps`` seconds.

    The duration is kept to the nearest frame. What lies beyond the last given frame repeats it.
    """
    if not (np.isfinite(fps) and fps > 0):
        raise ValueError(f"{fps} is not a frame rate")
    if fps == motion.fps:
        return motion
    count = max(1, round(len(motion.values) * fps / motion.fps))
    positions = np.arange(count) * (motion.fps / fps)
    positions = np.minimum(positions, len(motion.values) - 1)
    before = np.floor(positions).astype(np.intp)
    after = np.minimum(before + 1, len(motion.values) - 1)
    weight = (positions - before).astype(np.float32)[:, None]
    values = motion.values[before] * (1 - weight)
    values += motion.values[after] * weight
    return replace(motion, values=values, fps=fps)

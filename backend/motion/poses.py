"""Poses that are held, as in drawn animation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.annotation import FaceMotion


def hold_poses(motion: FaceMotion, poses_per_second: float) -> FaceMotion:
    """Show each pose until the next is due instead of every in-between; 0, or as many as frames, changes nothing.

    A pose is the frame in the middle of its stretch, so that nothing comes earlier or later on the whole.
    """
    if poses_per_second == 0 or poses_per_second >= motion.fps:
        return motion
    frames = np.arange(len(motion.values))
    stretch = np.floor(frames * poses_per_second / motion.fps + 1e-9)
    middle = np.floor((stretch + 0.5) * motion.fps / poses_per_second).astype(np.intp)
    return replace(motion, values=motion.values[np.minimum(middle, len(frames) - 1)])

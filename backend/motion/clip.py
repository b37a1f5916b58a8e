"""The range of blendshape weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.annotation import FaceMotion


def clip_weights(motion: FaceMotion) -> FaceMotion:
    """Hold blendshape weights within 0 to 1; vertices and parameters have no such range and stay as they are."""
    if motion.annotation.kind != "blendshapes":
        return motion
    return replace(motion, values=np.clip(motion.values, 0, 1))

"""The range of blendshape weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.annotation import FaceMotion
from backend.motion.channels import HEAD_ANGLES


def clip_weights(motion: FaceMotion) -> FaceMotion:
    """Hold blendshape weights within 0 to 1; angles, vertices and parameters have no such range and stay so."""
    if motion.annotation.kind != "blendshapes":
        return motion
    values = np.clip(motion.values, 0, 1)
    for column, name in enumerate(motion.annotation.names):
        if name in HEAD_ANGLES:
            values[:, column] = motion.values[:, column]
    return replace(motion, values=values)

"""How strong the motion is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.annotation import FaceMotion


def scale_intensity(motion: FaceMotion, gain: float, rest: np.ndarray | None = None) -> FaceMotion:
    """Multiply the distance from the resting face by `gain`: 0 is still, 1 changes nothing.

    Args:
        motion: what to scale.
        gain: zero or more.
        rest: values of the resting face, shape ``(channels,)``: the template of heads that have one.
            Without it rest is zero, as for blendshape weights.
    """
    if not (np.isfinite(gain) and gain >= 0):
        raise ValueError(f"intensity {gain} is not a number from 0 up")
    if gain == 1:
        return motion
    scaled = motion.values * np.float32(gain)
    if rest is not None:
        scaled += (1 - np.float32(gain)) * rest.astype(np.float32)
    return replace(motion, values=scaled)

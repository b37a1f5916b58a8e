"""Weights for going over from one motion to another and back. Knows nothing of Blender."""

from __future__ import annotations

import numpy as np


def edge_weights(count: int, blend: int) -> np.ndarray:
    """How much of the new motion there is on each of `count` frames: rising over the first `blend`, falling at the end.

    The frames before the first and after the last would have 0, so nothing jumps there.

    Returns:
        float32 of shape ``(count,)``.
    """
    frames = np.arange(1, count + 1)
    return np.clip(np.minimum(frames, frames[::-1]) / (blend + 1), 0.0, 1.0).astype(np.float32)

"""Frequency adaptor: from the encoder's 50 Hz to the annotation's frame rate (paper section 3.2)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def adapt_frequency(features: Tensor, frame_count: int) -> Tensor:
    """Interpolate linearly along time to exactly `frame_count` frames.

    First and last frame of input and output coincide, so this stretches rather than resamples at exact time
    stamps; the difference stays below one 50 Hz frame. Trained models depend on it.

    Args:
        features: ``(batch, time, channels)``.
        frame_count: frames wanted.

    Returns:
        ``(batch, frame_count, channels)``.
    """
    stretched = F.interpolate(features.transpose(1, 2), size=frame_count, mode="linear", align_corners=True)
    return stretched.transpose(1, 2)

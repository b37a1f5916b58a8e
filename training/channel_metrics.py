"""How well each named blendshape channel follows the measured one: correlation, error, time lag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.metrics import Clip

LONGEST_LAG = 0.2
"""Seconds; beyond it, speech correlates with its neighbouring syllables."""

_STILL = 1e-6
"""Standard deviation of a weight below which a channel does not move."""


@dataclass(frozen=True)
class ChannelMeasure:
    """One channel over all clips.

    Attributes:
        name: the channel.
        pearson_r: over all frames; NaN where prediction or truth does not move.
        rmse: root mean squared error, in the channel's unit.
        lag_ms: shift at which the correlation is largest, whole frames within `LONGEST_LAG`; positive when the
            prediction comes late, NaN where `pearson_r` is.
    """

    name: str
    pearson_r: float
    rmse: float
    lag_ms: float


def channel_metrics(clips: Sequence[Clip], names: Sequence[str], fps: float) -> list[ChannelMeasure]:
    """One `ChannelMeasure` per name, in order.

    Args:
        clips: prediction and truth of shape (T, channels).
        names: of the channels.
        fps: frames per second of the clips.
    """
    if not clips or any(clip.truth.shape[1] != len(names) for clip in clips):
        raise ValueError(f"{len(names)} names need clips of {len(names)} channels")
    longest = min(int(LONGEST_LAG * fps), min(len(clip.truth) for clip in clips) - 1)
    # From the smallest shift on, so that of equally good ones the smallest wins.
    shifts = sorted(range(-longest, longest + 1), key=abs)
    correlations = np.stack([_correlation(clips, shift) for shift in shifts])
    moving = ~np.isnan(correlations[0])
    best = np.nanargmax(np.where(moving, correlations, 0), axis=0)
    lag = np.where(moving, np.array(shifts)[best] * 1000 / fps, np.nan)
    errors = np.concatenate([clip.prediction.astype(np.float64) - clip.truth for clip in clips])
    rmse = np.sqrt(np.square(errors).mean(0))
    return [
        ChannelMeasure(*row) for row in zip(names, correlations[0].tolist(), rmse.tolist(), lag.tolist(), strict=True)
    ]


def _correlation(clips: Sequence[Clip], shift: int) -> np.ndarray:
    """Pearson's r of each channel, the prediction moved `shift` frames earlier; never across clips."""
    late, early = max(shift, 0), max(-shift, 0)
    prediction = np.concatenate([clip.prediction[late : len(clip.prediction) - early] for clip in clips])
    truth = np.concatenate([clip.truth[early : len(clip.truth) - late] for clip in clips])
    prediction, truth = (x - x.mean(0, dtype=np.float64) for x in (prediction, truth))
    deviations = prediction.std(0), truth.std(0)
    product = np.where(np.minimum(*deviations) > _STILL, deviations[0] * deviations[1], np.nan)
    correlation: np.ndarray = (prediction * truth).mean(0) / product
    return correlation

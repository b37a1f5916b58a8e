"""Distances between predicted and measured faces, in the conventions that the field uses.

The same abbreviation means different numbers in different papers, so each function's name carries its
convention: the unit (``m2``, ``mm``), how clips are joined where both ways are in use (``pooled``: all frames of all
clips count alike, as CodeTalker, FaceDiffuser and ScanTalk do; ``seqmean``: mean per clip, then mean of clips, as
UniTalker does), and the sign.

Vertices are in metres. Data sets with a scale (BIWI 0.2) have to be divided by it for numbers in metres; papers
report BIWI in its own scaled unit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

BOOTSTRAP_RESAMPLES = 2000


@dataclass(frozen=True)
class Region:
    """A named set of vertices; without the indices a lip vertex error cannot be compared with another.

    Attributes:
        name: ``lips``, ``upper_face``.
        vertices: int, (R,).
    """

    name: str
    vertices: np.ndarray

    @property
    def label(self) -> str:
        """Name, size and a hash of the sorted indices, for reports."""
        indices = np.unique(self.vertices).astype("<i8")
        digest = hashlib.sha256(indices.tobytes()).hexdigest()[:8]
        return f"{self.name} ({len(indices)} vertices, sha256 {digest})"


@dataclass(frozen=True)
class Measure:
    """A number with what is needed to read it.

    Attributes:
        name: the function that gave it.
        value: over all clips.
        low: lower end of the 95 % bootstrap interval over clips; NaN for a single clip, which cannot tell.
        high: upper end.
        unit: ``m²``, ``mm``, ``weight²``, ``weight``.
        region: label of the vertices that count, or ``all channels``.
        clips: how many.
    """

    name: str
    value: float
    low: float
    high: float
    unit: str
    region: str
    clips: int


@dataclass(frozen=True)
class Clip:
    """One clip, predicted and measured.

    Attributes:
        prediction: (T, V, 3) metres; for the weight measures (T, channels).
        truth: the same shape. Different lengths are refused: cutting one hides an error of timing.
        template: (V, 3) metres, the identity's neutral face; only FDD needs it.
    """

    prediction: np.ndarray
    truth: np.ndarray
    template: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.prediction.shape != self.truth.shape or not len(self.truth):
            raise ValueError(f"prediction is {self.prediction.shape}, truth {self.truth.shape}")

    def distances(self, region: Region | None) -> np.ndarray:
        """Euclidean distance of each vertex in each frame, (T, R), metres."""
        vertices = slice(None) if region is None else region.vertices
        difference = self.prediction[:, vertices].astype(np.float64) - self.truth[:, vertices]
        distances: np.ndarray = np.sqrt(np.square(difference).sum(-1))
        return distances


def lve_m2_pooled(clips: Sequence[Clip], lips: Region) -> Measure:
    """Lip vertex error: mean over all frames of the largest squared distance of a lip vertex."""
    return _measure("lve_m2_pooled", clips, lambda clip: _lip_error(clip, lips), "m²", lips, pooled=True)


def lve_m2_seqmean(clips: Sequence[Clip], lips: Region) -> Measure:
    """Lip vertex error as the released UniTalker validation: mean per clip, then mean of clips."""
    return _measure("lve_m2_seqmean", clips, lambda clip: _lip_error(clip, lips), "m²", lips, pooled=False)


def lvd_mm(clips: Sequence[Clip], lips: Region) -> Measure:
    """Lip vertex distance: as `lve_m2_seqmean` without the square."""

    def of_clip(clip: Clip) -> float:
        return float(1000 * clip.distances(lips).max(1).mean())

    return _measure("lvd_mm", clips, of_clip, "mm", lips, pooled=False)


def mve_mm(clips: Sequence[Clip]) -> Measure:
    """Mean vertex error: mean distance over all frames and all vertices, neck and scalp included."""
    return _measure("mve_mm", clips, _mean_distance_mm(None), "mm", None, pooled=True)


def ufve_mm(clips: Sequence[Clip], upper_face: Region) -> Measure:
    """Upper face vertex error: `mve_mm` over the upper face."""
    return _measure("ufve_mm", clips, _mean_distance_mm(upper_face), "mm", upper_face, pooled=True)


def fdd_signed(clips: Sequence[Clip], upper_face: Region) -> Measure:
    """Upper face dynamics deviation as CodeTalker: truth's less prediction's, so errors of clips cancel."""
    return _measure("fdd_signed", clips, lambda clip: _dynamics(clip, upper_face), "m²", upper_face, pooled=False)


def fdd_abs(clips: Sequence[Clip], upper_face: Region) -> Measure:
    """Upper face dynamics deviation with the absolute value taken per clip, so that nothing cancels.

    Zero says that the upper face moves as much as in truth, not that it moves alike.
    """
    return _measure("fdd_abs", clips, lambda clip: abs(_dynamics(clip, upper_face)), "m²", upper_face, pooled=False)


def weight_mse_seqmean(clips: Sequence[Clip]) -> Measure:
    """Mean squared error of parameters that have no mesh; stands where LVE stands for the others."""

    def of_clip(clip: Clip) -> float:
        return float(np.square(clip.prediction.astype(np.float64) - clip.truth).mean())

    return _measure("weight_mse_seqmean", clips, of_clip, "weight²", None, pooled=False)


def weight_mae_seqmean(clips: Sequence[Clip]) -> Measure:
    """Mean absolute error of parameters that have no mesh; stands where LVD stands for the others."""

    def of_clip(clip: Clip) -> float:
        return float(np.abs(clip.prediction.astype(np.float64) - clip.truth).mean())

    return _measure("weight_mae_seqmean", clips, of_clip, "weight", None, pooled=False)


def vertex_metrics(clips: Sequence[Clip], lips: Region, upper_face: Region) -> dict[str, Measure]:
    """All measures of vertices by name; those of the upper face's dynamics need templates."""
    measures = [lve_m2_pooled(clips, lips), lve_m2_seqmean(clips, lips), lvd_mm(clips, lips), mve_mm(clips)]
    measures.append(ufve_mm(clips, upper_face))
    if all(clip.template is not None for clip in clips):
        measures += [fdd_signed(clips, upper_face), fdd_abs(clips, upper_face)]
    return {measure.name: measure for measure in measures}


def bootstrap_interval(values: np.ndarray, weights: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of a weighted mean when clips are drawn again with replacement.

    Args:
        values: (clips,).
        weights: (clips,), frames of each clip or ones.
        seed: the same clips give the same interval.

    Returns:
        Low and high; NaN for fewer than two clips.
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(seed).integers(len(values), size=(BOOTSTRAP_RESAMPLES, len(values)))
    means = (values * weights)[drawn].sum(1) / weights[drawn].sum(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def _measure(
    name: str,
    clips: Sequence[Clip],
    of_clip: Callable[[Clip], float],
    unit: str,
    region: Region | None,
    pooled: bool,
) -> Measure:
    """The mean of `of_clip`, each clip weighted by its frames (`pooled`) or all alike."""
    if not clips:
        raise ValueError(f"{name}: no clips")
    values = np.array([of_clip(clip) for clip in clips])
    weights = np.array([len(clip.truth) if pooled else 1.0 for clip in clips])
    everything = "all channels" if unit.startswith("weight") else "all vertices"
    return Measure(
        name,
        float(np.average(values, weights=weights)),
        *bootstrap_interval(values, weights),
        unit,
        everything if region is None else region.label,
        len(clips),
    )


def _lip_error(clip: Clip, lips: Region) -> float:
    return float(np.square(clip.distances(lips).max(1)).mean())


def _mean_distance_mm(region: Region | None) -> Callable[[Clip], float]:
    return lambda clip: float(1000 * clip.distances(region).mean())


def _dynamics(clip: Clip, region: Region) -> float:
    """Deviation over time of the squared displacement, truth less prediction, mean over the region; m²."""
    if clip.template is None:
        raise ValueError("dynamics need the template of the clip's identity")
    template = clip.template[region.vertices]

    def deviation(vertices: np.ndarray) -> float:
        displacement = vertices[:, region.vertices].astype(np.float64) - template
        return float(np.square(displacement).sum(-1).std(0).mean())

    return deviation(clip.truth) - deviation(clip.prediction)

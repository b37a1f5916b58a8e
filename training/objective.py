"""The loss of each head: the paper's, or one with weights from the statistics of its training targets.

Heads share the decoder body, so their losses should be of one scale: in the scaled form each is divided by the
variance of what it compares, and an error as large as the motion itself costs about 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from backend.annotation import Annotation
from training.config import Head, Loss, Recipe
from training.head_geometry import HeadGeometry
from training.losses import ApertureLoss, PcaMSE, SumOf, WeightedMSE, paper_loss, variance_weights
from training.sequences import mouth_channels
from training.store import Store

JAW, CLOSE = "jawOpen", "mouthClose"


@dataclass(frozen=True)
class TargetStatistics:
    """Of all training targets of a head.

    Attributes:
        deviation: float32 (D,), per channel.
        aperture_variance: of jawOpen - mouthClose; ``None`` without these channels.
    """

    deviation: np.ndarray
    aperture_variance: float | None


def target_statistics(store: Store, annotation: Annotation) -> TargetStatistics:
    """One pass over the targets of a head in float64."""
    aperture = _aperture_channels(annotation)
    total = np.zeros(annotation.dim + 1)
    squares = np.zeros(annotation.dim + 1)
    count = 0
    for entry in store.of_head(annotation.type_name):
        frames = store.target(entry).astype(np.float64)
        opening = frames[:, aperture[0]] - frames[:, aperture[1]] if aperture else np.zeros(len(frames))
        values = np.column_stack([frames, opening])
        total += values.sum(0)
        squares += np.square(values).sum(0)
        count += len(frames)
    variance = np.maximum(squares / count - np.square(total / count), 0)
    return TargetStatistics(
        deviation=np.sqrt(variance[:-1]).astype(np.float32),
        aperture_variance=float(variance[-1]) if aperture else None,
    )


def losses_by_head(
    recipe: Recipe,
    annotations: Mapping[str, Annotation],
    store: Store,
    components: Mapping[str, torch.Tensor],
    geometries: Mapping[str, HeadGeometry],
) -> dict[str, SumOf]:
    """The loss of every head.

    Args:
        recipe: weights.
        annotations: by type.
        store: of the training sequences.
        components: of the PCA, (K, D), by annotation type, for heads that have one.
        geometries: values to vertices, by annotation type; only the paper's form asks for them.
    """
    if recipe.loss.form == "paper":
        return {
            name: _paper_loss(annotation, geometries[name], components.get(name), recipe.loss, recipe.heads[name])
            for name, annotation in annotations.items()
        }
    losses = {}
    for name, annotation in annotations.items():
        statistics = target_statistics(store, annotation)
        head = recipe.heads[name]
        if annotation.kind == "blendshapes":
            losses[name] = _blendshape_loss(annotation, statistics, recipe.loss, head)
        else:
            losses[name] = _vertex_loss(annotation, statistics, recipe.loss, head, components.get(name))
    return losses


def _paper_loss(
    annotation: Annotation, head: HeadGeometry, components: torch.Tensor | None, settings: Loss, recipe: Head
) -> SumOf:
    return paper_loss(
        annotation,
        head.geometry,
        components,
        head.region,
        settings.parameter_weight,
        settings.coefficient_weight,
        recipe.loss_weight,
    )


def _blendshape_loss(annotation: Annotation, statistics: TargetStatistics, settings: Loss, head: Head) -> SumOf:
    deviation = torch.from_numpy(statistics.deviation)
    minor = np.flatnonzero(~mouth_channels(annotation, settings)).tolist()
    weights = variance_weights(deviation, settings.deviation_floor, minor, settings.other_weight)
    # The head starts at zero: without a gradient a channel that never moves stays exactly at rest.
    alive = deviation >= settings.dead_below
    count = max(int(alive.sum()), 1)
    weights = torch.where(alive, weights, 0) * len(alive) / count
    terms = {"weights": WeightedMSE(weights * head.loss_weight)}
    aperture = _aperture_channels(annotation)
    if aperture and settings.aperture_weight and statistics.aperture_variance:
        # The weights' term is a mean over channels, of which the opening is as one more.
        factor = settings.aperture_weight * head.loss_weight / (count * statistics.aperture_variance)
        return SumOf({**terms, "aperture": ApertureLoss(*aperture, factor)})
    return SumOf(terms)


def _vertex_loss(
    annotation: Annotation, statistics: TargetStatistics, settings: Loss, head: Head, components: torch.Tensor | None
) -> SumOf:
    """Vertices alike, unlike weights: an error of a millimetre is as visible on a still vertex as on a moving one."""
    factor = head.loss_weight / max(float(np.square(statistics.deviation).mean()), 1e-12)
    terms: dict[str, WeightedMSE | PcaMSE] = {"vertices": WeightedMSE(torch.full((annotation.dim,), factor))}
    if components is not None and settings.coefficient_weight:
        terms["coefficients"] = PcaMSE(components, settings.coefficient_weight * factor)
    return SumOf(terms)


def _aperture_channels(annotation: Annotation) -> tuple[int, int] | None:
    names = annotation.names
    return (names.index(JAW), names.index(CLOSE)) if JAW in names and CLOSE in names else None

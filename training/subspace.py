"""Losses of vertices from PCA coefficients alone, so that a dense mesh costs a step no more than a coarse one.

A head with PCA predicts points of an affine subspace. With orthonormal components its squared distance from a target
is that of the coefficients plus what the target has outside of the subspace, and the latter does not depend on the
model. Coefficients and remainder of every target are computed once and kept beside the stored features: of BIWI's
70,110 coordinates 513 numbers a frame. Neither prediction nor target is ever written out as vertices.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from backend.export.atomic import atomic_write
from backend.model.pca import PcaLayer
from backend.model.unitalker import UniTalker
from training.geometry import FlatVertices
from training.losses import Loss, PcaMSE, Prediction, SumOf, VertexMSE, WeightedMSE, channel_mask, masked_mse
from training.store import Progress, Store

_FRAMES_AT_ONCE = 256
_ORTHONORMAL = 1e-3


@dataclass(frozen=True)
class Subspace:
    """What a head's PCA spans.

    Attributes:
        components: float32 (K, D).
        mean: float32 (D,).
    """

    components: np.ndarray
    mean: np.ndarray

    @classmethod
    def of(cls, layer: PcaLayer) -> Subspace:
        """That of a model's PCA layer, as far as its head uses it."""
        return cls(layer.feat_to_data[: layer.used].cpu().numpy(), layer.data_bias.cpu().numpy())

    @property
    def is_orthonormal(self) -> bool:
        products = self.components @ self.components.T
        return bool(np.abs(products - np.eye(len(products))).max() < _ORTHONORMAL)

    @property
    def name(self) -> str:
        """What stored coordinates are called; another PCA has another name."""
        digest = hashlib.sha256(self.components.tobytes() + self.mean.tobytes()).hexdigest()
        return f"pca-{digest[:16]}"

    def coordinates(self, target: np.ndarray) -> np.ndarray:
        """float32 (T, K + 1): coefficients of (T, D), and the length of what lies outside."""
        parts = []
        for start in range(0, len(target), _FRAMES_AT_ONCE):
            displacement = target[start : start + _FRAMES_AT_ONCE].astype(np.float32) - self.mean
            coefficients = displacement @ self.components.T
            outside = displacement - coefficients @ self.components
            parts.append(np.column_stack([coefficients, np.linalg.norm(outside, axis=1)]))
        return np.concatenate(parts).astype(np.float32)


class SubspaceMSE(Loss):
    """Mean squared error of vertices and of coefficients; the target holds `Subspace.coordinates`.

    Args:
        dim: coordinates of the vertices, over which the first is a mean.
        vertex_weight: factor of the vertices' error.
        coefficient_weight: of the coefficients'.
    """

    def __init__(self, dim: int, vertex_weight: float, coefficient_weight: float) -> None:
        super().__init__()
        self.dim = dim
        self.vertex_weight = vertex_weight
        self.coefficient_weight = coefficient_weight

    def forward(self, prediction: Prediction, target: Tensor, mask: Tensor | None = None) -> Tensor:
        if prediction.coefficients is None:
            raise ValueError("SubspaceMSE needs a head that predicts PCA coefficients")
        coefficients, outside = target[..., :-1], target[..., -1]
        valid = channel_mask(mask)
        inside = masked_mse(prediction.coefficients, coefficients, valid)
        remainder = masked_mse(outside, torch.zeros_like(outside), mask)
        in_vertices = (inside * coefficients.shape[-1] + remainder) / self.dim
        return self.vertex_weight * in_vertices + self.coefficient_weight * inside


def within_subspace(
    loss: SumOf, head: str, model: UniTalker, stores: Iterable[Store], progress: Callable[[str], Progress]
) -> Loss:
    """The loss of a head with PCA from coordinates alone, where that is the same; any other as it is.

    Args:
        loss: of the head.
        head: annotation type.
        model: with the PCA.
        stores: of the sequences, which then give coordinates for this head.
        progress: of the stage of work that it names.
    """
    if head not in model.pca_layer_dict:
        return loss
    subspace = Subspace.of(cast(PcaLayer, model.pca_layer_dict[head]))
    shorter = in_subspace(loss, subspace)
    if shorter is None:
        return loss
    for store in stores:
        compare_in_subspace(store, head, subspace, progress(f"project {head}"))
    return shorter


def in_subspace(loss: SumOf, subspace: Subspace) -> SubspaceMSE | None:
    """The same loss from coordinates; ``None`` where it compares vertices unequally, or the PCA is not orthonormal."""
    terms = dict(loss.losses.items())
    vertices, coefficients = terms.pop("vertices", None), terms.pop("coefficients", None)
    vertex_weight = _even_weight(vertices)
    if terms or vertex_weight is None or not subspace.is_orthonormal:
        return None
    coefficient_weight = coefficients.weight if isinstance(coefficients, PcaMSE) else 0.0
    return SubspaceMSE(subspace.components.shape[1], vertex_weight, coefficient_weight)


def compare_in_subspace(store: Store, head: str, subspace: Subspace, progress: Progress) -> None:
    """From now on the store gives coordinates for what the losses of a head compare; they are kept on disk.

    Args:
        store: of sequences.
        head: annotation type.
        subspace: of its PCA.
        progress: called for each sequence whose coordinates are not there yet.
    """
    for number, entry in enumerate(store.of_head(head)):
        path = store.path(entry, subspace.name)
        if not path.is_file():
            with atomic_write(path) as file:
                np.save(file, subspace.coordinates(store.target(entry)), allow_pickle=False)
            progress(number + 1, entry.name)
    store.compare(head, subspace.name)


def _even_weight(loss: object) -> float | None:
    """Factor of a mean over all coordinates of the vertices themselves; ``None`` if the term is anything else."""
    if isinstance(loss, VertexMSE) and isinstance(loss.geometry, FlatVertices) and loss.region is None:
        return loss.weight
    if isinstance(loss, WeightedMSE) and bool((loss.weights == loss.weights[0]).all()):
        return float(loss.weights[0])
    return None

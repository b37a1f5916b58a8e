"""What training minimises (paper section 3.4, Eq. 2 to 4): small modules with one call, joined by `SumOf`.

Every loss is called as ``loss(prediction, target, mask)`` and gives a scalar. Sequences of unequal length share a
batch: `mask` says which entries are real, and every mean is taken over these only, so that padding neither
contributes nor dilutes. A batch without a single valid entry gives 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from training.geometry import FlatVertices, Geometry

PCA_WEIGHT = 0.01
BLENDSHAPE_WEIGHT = 1e-4


class Prediction(Protocol):
    """What a head yields: `values` (B, T, D), and for PCA heads their `coefficients` (B, T, K)."""

    @property
    def values(self) -> Tensor: ...

    @property
    def coefficients(self) -> Tensor | None: ...


class Loss(nn.Module, ABC):
    """The one interface of all losses."""

    @abstractmethod
    def forward(self, prediction: Prediction, target: Tensor, mask: Tensor | None = None) -> Tensor:
        """A scalar.

        Args:
            prediction: of one head.
            target: (B, T, D), unit of the annotation.
            mask: bool, (B, T) for whole frames or (B, T, D) for single channels; ``None``: all valid.
        """

    def __call__(self, prediction: Prediction, target: Tensor, mask: Tensor | None = None) -> Tensor:
        return cast(Tensor, super().__call__(prediction, target, mask))


class ParameterMSE(Loss):
    """Mean squared error of the head's own numbers: blendshape weights, viseme parameters."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, prediction: Prediction, target: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.weight * masked_mse(prediction.values, target, channel_mask(mask))


class WeightedMSE(Loss):
    """Mean squared error with one weight per channel, so that small channels such as lip rolls count.

    Args:
        weights: (D,), for example from `variance_weights`.
    """

    weights: Tensor

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.register_buffer("weights", weights.float(), persistent=False)

    def forward(self, prediction: Prediction, target: Tensor, mask: Tensor | None = None) -> Tensor:
        if target.shape[-1] != len(self.weights):
            raise ValueError(f"{len(self.weights)} channel weights for {target.shape[-1]} channels")
        return masked_mse(prediction.values, target, channel_mask(mask), self.weights)


class VertexMSE(Loss):
    """Mean squared error of the vertices that the values stand for, in square metres.

    Args:
        geometry: how values become vertices (Eq. 3 for blendshapes, Eq. 4 for FLAME).
        region: indices of the vertices that count; all by default.
        weight: factor.

    A mask of single channels counts a frame only where all its channels are valid: vertices need them all.
    """

    region: Tensor | None

    def __init__(self, geometry: Geometry, region: Sequence[int] | Tensor | None = None, weight: float = 1.0) -> None:
        super().__init__()
        self.geometry = geometry
        self.weight = weight
        self.register_buffer("region", None if region is None else torch.as_tensor(region).long(), persistent=False)

    def forward(self, prediction: Prediction, target: Tensor, mask: Tensor | None = None) -> Tensor:
        predicted, truth = self._vertices(prediction.values), self._vertices(target)
        frames = frame_mask(mask)
        return self.weight * masked_mse(predicted, truth, None if frames is None else frames[..., None, None])

    def _vertices(self, values: Tensor) -> Tensor:
        with full_precision(values):
            vertices = cast(Tensor, self.geometry(values.float()))
        return vertices if self.region is None else vertices[..., self.region, :]


class PcaMSE(Loss):
    """Mean squared error of the PCA coefficients (second term of Eq. 2).

    The target's coefficients are its displacement from the template, projected on the components (Eq. 1). The
    template is what the predicted values hold beyond their decoded coefficients, so none has to be passed along.

    Args:
        components: (K, D); of more than the head predicts, the first are used.
        weight: factor.
    """

    components: Tensor

    def __init__(self, components: Tensor, weight: float = PCA_WEIGHT) -> None:
        super().__init__()
        self.register_buffer("components", components.float(), persistent=False)
        self.weight = weight

    def forward(self, prediction: Prediction, target: Tensor, mask: Tensor | None = None) -> Tensor:
        if prediction.coefficients is None:
            raise ValueError("PcaMSE needs a head that predicts PCA coefficients")
        frames = frame_mask(mask)
        return self.weight * masked_mse(
            prediction.coefficients,
            self._target_coefficients(prediction.coefficients, prediction.values, target),
            None if frames is None else frames[..., None],
        )

    @torch.no_grad()
    def _target_coefficients(self, coefficients: Tensor, values: Tensor, target: Tensor) -> Tensor:
        components = self.components[: coefficients.shape[-1]]
        with full_precision(values):
            template_and_mean = values.float() - coefficients.float() @ components
            return (target.float() - template_and_mean) @ components.T


class ApertureLoss(Loss):
    """Squared error of the mouth's opening, the jaw's less the lips' closing: a small number that decides on p, b, m.

    Args:
        jaw: channel of ``jawOpen``.
        close: channel of ``mouthClose``.
        weight: factor; 3 over the opening's variance brings it to the scale of variance-weighted channels.
    """

    def __init__(self, jaw: int, close: int, weight: float) -> None:
        super().__init__()
        self.jaw, self.close, self.weight = jaw, close, weight

    def forward(self, prediction: Prediction, target: Tensor, mask: Tensor | None = None) -> Tensor:
        valid = channel_mask(mask)
        if valid is not None and valid.shape[-1] > 1:
            valid = valid[..., self.jaw] & valid[..., self.close]
        elif valid is not None:
            valid = valid[..., 0]
        return self.weight * masked_mse(self._aperture(prediction.values), self._aperture(target), valid)

    def _aperture(self, values: Tensor) -> Tensor:
        return values[..., self.jaw] - values[..., self.close]


class SumOf(Loss):
    """The sum of named losses; the names are those of the training log."""

    def __init__(self, losses: Mapping[str, Loss]) -> None:
        super().__init__()
        self.losses = nn.ModuleDict(losses)

    def terms(self, prediction: Prediction, target: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Each loss by its name, already weighted."""
        return {name: cast(Tensor, loss(prediction, target, mask)) for name, loss in self.losses.items()}

    def forward(self, prediction: Prediction, target: Tensor, mask: Tensor | None = None) -> Tensor:
        return torch.stack(list(self.terms(prediction, target, mask).values())).sum()


def paper_loss(
    annotation: Annotation,
    geometry: Geometry | None = None,
    components: Tensor | None = None,
    region: Sequence[int] | Tensor | None = None,
    parameter_weight: float = BLENDSHAPE_WEIGHT,
    coefficient_weight: float = PCA_WEIGHT,
    weight: float = 1.0,
) -> SumOf:
    """The loss that the paper and its released code use for an annotation type.

    Args:
        annotation: what the head predicts.
        geometry: Eq. 3 or Eq. 4; blendshapes without one are compared as weights only, FLAME needs it.
        components: of the head's PCA, (K, D).
        region: vertices that count; the released code restricts FLAME to the face.
        parameter_weight: of blendshape weights.
        coefficient_weight: of PCA coefficients; 0 leaves them out.
        weight: of the whole.

    Raises:
        UniTalkerError: a FLAME annotation without the FLAME model.
    """
    losses: dict[str, Loss] = {}
    if annotation.kind == "blendshapes":
        losses["weights"] = ParameterMSE(weight * parameter_weight)
    if annotation.kind == "vertices":
        geometry = geometry or FlatVertices()
    if annotation.kind == "flame" and geometry is None:
        raise needs_flame(annotation)
    if geometry is not None:
        losses["vertices"] = VertexMSE(geometry, region, weight)
    if components is not None and coefficient_weight:
        losses["coefficients"] = PcaMSE(components, weight * coefficient_weight)
    return SumOf(losses)


def needs_flame(annotation: Annotation) -> UniTalkerError:
    """What is said when FLAME parameters cannot be turned into vertices."""
    return UniTalkerError(
        "loss.needs_flame",
        f"{annotation.type_name}: FLAME parameters are compared as vertices, which needs the FLAME model.",
        f"Give the path of your flame.npz as heads.{annotation.type_name}.basis in the recipe.",
    )


def variance_weights(deviation: Tensor, floor: float = 0.02, minor: Sequence[int] = (), factor: float = 0.05) -> Tensor:
    """Channel weights that bring every channel's error to its own scale: 1 / (deviation² + floor²).

    Args:
        deviation: (D,), standard deviation of each channel in the training data.
        floor: keeps channels that hardly move from ruling the loss.
        minor: channels that matter less, such as brows in a speech model; multiplied by `factor`.
        factor: see `minor`.

    Returns:
        (D,).
    """
    weights = 1 / (deviation.square() + floor**2)
    weights[list(minor)] *= factor
    return weights


def masked_mse(prediction: Tensor, target: Tensor, mask: Tensor | None, weights: Tensor | None = None) -> Tensor:
    """Mean of squared differences over the valid entries.

    The difference is masked before it is squared: NaN behind the mask must not reach the gradient.

    Args:
        prediction: any shape.
        target: the same shape.
        mask: bool, broadcastable to it.
        weights: factors of the squares, broadcastable to it; the mean is over entries, not over weights.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ in shape")
    difference = prediction.float() - target.float()
    if mask is not None:
        difference = torch.where(mask, difference, 0)
    squares = difference.square()
    if weights is not None:
        squares = squares * weights
    if mask is None:
        return squares.mean()
    return squares.sum() / mask.expand_as(squares).sum().clamp(min=1)


def channel_mask(mask: Tensor | None) -> Tensor | None:
    """(B, T) or (B, T, D) to a mask that broadcasts over channels."""
    return mask[..., None] if mask is not None and mask.ndim == 2 else mask


def frame_mask(mask: Tensor | None) -> Tensor | None:
    """(B, T) or (B, T, D) to (B, T): a frame is valid where all its channels are."""
    return mask.all(-1) if mask is not None and mask.ndim == 3 else mask


def full_precision(like: Tensor) -> torch.autocast:
    """Switches autocast off: half precision would cost a tenth of a millimetre of a vertex."""
    return torch.autocast(like.device.type, enabled=False)

"""From a batch to its loss, as one module: what several processes share is a module's call."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from backend.model.unitalker import HeadOutput, UniTalker
from training.batches import Batch
from training.losses import Loss
from training.subspace import SubspaceMSE


class BatchLoss(nn.Module):
    """The network and the losses of its heads.

    Args:
        model: the network.
        losses: by head; each a mean over the valid frames of a batch, so that means of parts can be joined.
    """

    def __init__(self, model: UniTalker, losses: Mapping[str, Loss]) -> None:
        super().__init__()
        self.model = model
        self.losses = nn.ModuleDict(dict(losses))

    def forward(self, batch: Batch) -> Tensor:
        """A scalar."""
        features, counts = self._encode(batch) if batch.is_audio else (batch.speech, batch.lengths)
        states = self.model.body(features, batch.frames, batch.identity, counts)
        if isinstance(self.losses[batch.head], SubspaceMSE):
            coefficients = self.model.out_head_dict[batch.head](states)
            return self._loss(batch, HeadOutput(coefficients, coefficients), batch.target)
        prediction, target = self.model.read(states, batch.head), batch.target
        if batch.template is not None:
            # FLAME's vertices are no linear function of its parameters, so the resting face does not cancel out.
            rest = batch.template[:, None]
            prediction, target = HeadOutput(prediction.values + rest, prediction.coefficients), target + rest
        return self._loss(batch, prediction, target)

    def _loss(self, batch: Batch, prediction: HeadOutput, target: Tensor) -> Tensor:
        loss: Tensor = self.losses[batch.head](prediction, target, batch.mask)
        return loss

    def _encode(self, batch: Batch) -> tuple[Tensor, tuple[int, ...]]:
        """Features, and how many of each sound are valid."""
        features = self.model.encode(batch.speech, batch.lengths, batch.frames)
        if self.model.spec.decoder.interpolate_position == 0:
            return features, batch.frames
        return features, tuple(self.model.feature_count(length) for length in batch.lengths)

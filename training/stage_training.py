"""What a stage of a training needs besides the model: its optimiser and what goes with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from backend.model.unitalker import UniTalker
from training.averaging import WeightAverage
from training.batch_loss import BatchLoss
from training.batches import Batch
from training.config import Stage
from training.distributed import Processes
from training.losses import Loss
from training.schedule import PLAIN_GROUP, make_optimiser, set_rate

_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class StageState:
    """A stage at one moment, for a checkpoint; empty at its beginning.

    Attributes:
        optimiser: state dict of the optimiser.
        scaler: of the gradients' scale, with ``fp16``.
        average: averaged weights by name and ``steps``, with ``average``.
        best: trained weights of the best epoch by name, with ``early_stop``.
    """

    optimiser: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    average: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)


class StageTraining:
    """Moves a model's weights.

    Args:
        model: whose parameters beyond what the stage trains are frozen.
        losses: by head.
        stage: settings.
        processes: that share each step.
    """

    def __init__(self, model: UniTalker, losses: Mapping[str, Loss], stage: Stage, processes: Processes) -> None:
        self._stage = stage
        self._processes = processes
        self._optimiser = make_optimiser(model, stage)
        self._trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self._loss = BatchLoss(model, losses)
        self._shared_loss = processes.share(self._loss)
        self._scaler = torch.amp.GradScaler(processes.device.type, enabled=stage.precision == "fp16")
        self._average = None if stage.average is None else WeightAverage(self._trained, stage.average)
        self._best: dict[str, Tensor] = {}

    @property
    def learning_rate(self) -> float:
        """Of decoder and heads, now."""
        return float(self._optimiser.param_groups[PLAIN_GROUP]["lr"])

    def set_rate(self, factor: float) -> None:
        """Sets the learning rates to `factor` times their peaks."""
        set_rate(self._optimiser, factor)

    def gradients(self, parts: list[Batch]) -> float:
        """Gradients of the mean over the valid frames of all parts on all processes, and that mean.

        Args:
            parts: what this process computes of a step.
        """
        self._optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self._processes.device)
        for number, part in enumerate(parts):
            is_last = number == len(parts) - 1
            with nullcontext() if is_last else self._processes.keep_to_itself(self._shared_loss):
                with self._half_precision():
                    loss = self._shared_loss(part.to(self._processes.device)) * part.share
                # Processes average their gradients, of which this is one summand.
                torch.autograd.backward(self._scaler.scale(loss * self._processes.count))
            total += loss.detach()
        return float(self._processes.total(total))

    def step(self) -> None:
        """Follows the gradients."""
        clip_norm = self._stage.optimiser.clip_norm
        if clip_norm is not None:
            self._scaler.unscale_(self._optimiser)
            torch.nn.utils.clip_grad_norm_(self._trained.values(), clip_norm)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        if self._average is not None:
            self._average.update()

    def loss(self, batch: Batch) -> float:
        """Of a batch, in single precision and without gradients."""
        with torch.inference_mode():
            return float(self._loss(batch.to(self._processes.device)))

    def is_finite(self) -> bool:
        """Whether all trained weights are numbers."""
        return all(bool(torch.isfinite(value).all()) for value in self._trained.values())

    @contextmanager
    def evaluated(self) -> Iterator[None]:
        """Inside, the model has the weights that are evaluated and exported."""
        with nullcontext() if self._average is None else self._average.in_place():
            yield

    def keep_best(self) -> None:
        """Keeps the weights as they would be evaluated now."""
        with self.evaluated():
            self._best = {name: value.detach().clone() for name, value in self._trained.items()}

    def finish(self) -> None:
        """Leaves the model with the weights that this stage brings: the best, the averaged, or the last."""
        weights = evaluated_weights(self.state())
        with torch.no_grad():
            for name, value in weights.items():
                self._trained[name].copy_(value)

    def state(self) -> StageState:
        """For a checkpoint; its tensors are those that go on changing."""
        return StageState(
            optimiser=self._optimiser.state_dict(),
            scaler=dict(self._scaler.state_dict()),
            average={} if self._average is None else self._average.state(),
            best=self._best,
        )

    def load_state(self, state: StageState) -> None:
        """Takes over what `state` gave; nothing of an empty one."""
        if state.optimiser:
            self._optimiser.load_state_dict(state.optimiser)
        if state.scaler:
            self._scaler.load_state_dict(state.scaler)
        if state.average and self._average is not None:
            self._average.load_state(state.average)
        self._best = {name: value.to(self._processes.device) for name, value in state.best.items()}

    def _half_precision(self) -> torch.autocast:
        dtype = _HALF.get(self._stage.precision)
        return torch.autocast(self._processes.device.type, dtype=dtype, enabled=dtype is not None)


def evaluated_weights(state: StageState) -> dict[str, Tensor]:
    """Weights by name to be evaluated in place of the trained ones: the best, else the averaged, else none."""
    if state.best:
        return state.best
    return {name: torch.as_tensor(value) for name, value in state.average.items() if name != "steps"}

"""The training loop: decoder warm-up on stored features, then, if asked for, joint training with the encoder.

What a step sees depends only on the seed and its position, and a checkpoint holds the rest, so that a training that
was interrupted anywhere goes on, on a CPU to the last bit, as if nothing had happened.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from backend.model.spec import ModelSpec
from backend.model.unitalker import UniTalker
from training.batches import Batch, Loader, epoch_order
from training.checkpoint import (
    Checkpoint,
    Position,
    random_state,
    restore_random_state,
    save_checkpoint,
)
from training.config import Recipe, Stage
from training.losses import SumOf
from training.observer import EpochReport, History, Observer, StageName, StepReport
from training.schedule import PLAIN_GROUP, make_optimiser, rate_factor, set_rate
from training.store import Entry, Store
from training.tally import Tally

CHECKPOINT = "checkpoint.pt"
_STAGES: tuple[StageName, ...] = ("warm_up", "joint")


@dataclass(frozen=True)
class Material:
    """What a training works with.

    Attributes:
        recipe: settings.
        spec: of the model.
        model: the network.
        losses: by head.
        training: store of the training sequences.
        validation: store of the validation sequences.
    """

    recipe: Recipe
    spec: ModelSpec
    model: UniTalker
    losses: dict[str, SumOf]
    training: Store
    validation: Store

    @property
    def annotations(self) -> dict[str, Annotation]:
        return {head.annotation.type_name: head.annotation for head in self.spec.heads}


class Trainer:
    """Trains a model.

    Args:
        material: what with.
        run: folder for the checkpoint.
        device: where to compute.
        observer: is told about steps and epochs.
    """

    def __init__(self, material: Material, run: Path, device: torch.device, observer: Observer | None = None) -> None:
        self._material = material
        self._recipe = material.recipe
        self._model = material.model.to(device)
        self._losses = {name: loss.to(device) for name, loss in material.losses.items()}
        self._path = run / CHECKPOINT
        self._device = device
        self._observer = observer or Observer()
        self._saved = time.monotonic()
        self._tally = Tally()
        self._history: list[EpochReport] = []

    def fit(self, resumed: Checkpoint | None = None) -> None:
        """Trains to the end, from the beginning or from where `resumed` stands.

        Raises:
            UniTalkerError: the loss is no longer a number; names the sequences.
        """
        torch.manual_seed(self._recipe.seed)
        position = Position()
        if resumed is None:
            self._save(position, None)
        else:
            position = resumed.position
            self._model.load_state_dict(resumed.model)
            self._tally, self._history = resumed.tally, list(resumed.history)
        self._observer.begin(History(tuple(self._history), position.stage, self._steps_done(position)))
        for name in _STAGES[_STAGES.index(position.stage) :]:
            if position.stage != name:
                position = Position(stage=name)
            if not position.done:
                position = self._fit_stage(position, resumed)
            resumed = None
        self._save(replace(position, done=True), None)

    def _fit_stage(self, position: Position, resumed: Checkpoint | None) -> Position:
        stage = self._stage(position.stage)
        optimiser = make_optimiser(self._model, stage)
        if resumed is not None:
            if resumed.optimiser:
                optimiser.load_state_dict(resumed.optimiser)
            restore_random_state(resumed.random)
        for epoch in range(position.epoch, stage.epochs):
            first = position.batch if epoch == position.epoch else 0
            self._fit_epoch(replace(position, epoch=epoch, batch=first), stage, optimiser)
        return replace(position, epoch=stage.epochs, batch=0)

    def _fit_epoch(self, position: Position, stage: Stage, optimiser: torch.optim.Optimizer) -> None:
        order = self._order(position, stage)
        steps = stage.epochs * len(order)
        loader = self._loader(
            self._material.training, stage.crop_seconds, position.stage, self._recipe.pivot_probability
        )
        self._model.train()
        for number in range(position.batch, len(order)):
            started = time.monotonic()
            batch = loader.load(order[number], self._rng(position, number)).to(self._device)
            loaded = time.monotonic()
            done = position.epoch * len(order) + number
            set_rate(optimiser, rate_factor(done, steps, stage.optimiser))
            loss = self._step(batch, optimiser, stage, done)
            self._tally.add(batch.head, loss, time.monotonic() - started, loaded - started)
            rate = _learning_rate(optimiser)
            self._observer.step(StepReport(position.stage, position.epoch, done + 1, steps, batch.head, loss, rate))
            if time.monotonic() - self._saved > 60 * self._recipe.checkpoint_minutes:
                self._save(replace(position, batch=number + 1), optimiser)
        report = self._report(position, (position.epoch + 1) * len(order), _learning_rate(optimiser))
        self._history.append(report)
        self._tally = Tally()
        self._save(replace(position, epoch=position.epoch + 1, batch=0), optimiser)
        self._observer.epoch(report)

    def _report(self, position: Position, steps: int, rate: float) -> EpochReport:
        started = time.monotonic()
        validation = self._validate(position.stage)
        metric = float(np.mean(list(validation.values()))) if validation else None
        earlier = [report.metric for report in self._history if report.stage == position.stage]
        return EpochReport(
            stage=position.stage,
            epoch=position.epoch,
            training=self._tally.means,
            validation=validation,
            seconds=self._tally.seconds + time.monotonic() - started,
            steps=steps,
            learning_rate=rate,
            steps_per_second=self._tally.steps_per_second,
            loading_share=self._tally.loading_share,
            metric=metric,
            best=metric is not None and all(other is None or metric < other for other in earlier),
        )

    def _order(self, position: Position, stage: Stage) -> list[list[Entry]]:
        return epoch_order(self._material.training.entries, stage.batch, self._rng(position, -1))

    def _steps_done(self, position: Position) -> int:
        """Steps before a position in its stage."""
        return position.epoch * len(self._order(position, self._stage(position.stage))) + position.batch

    def _step(self, batch: Batch, optimiser: torch.optim.Optimizer, stage: Stage, done: int) -> float:
        loss = self._loss(batch)
        value = float(loss.detach())
        if not np.isfinite(value):
            raise UniTalkerError(
                "training.diverged",
                f"The loss of step {done + 1} is {value}, with the sequences {'; '.join(batch.names)}.",
                "Look at these clips, lower the learning rate, or set clip_norm; then unitalker train resume.",
            )
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        if stage.optimiser.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._model.parameters(), stage.optimiser.clip_norm)
        optimiser.step()
        return value

    def _loss(self, batch: Batch) -> Tensor:
        features, counts = batch.speech, batch.lengths
        if batch.is_audio:
            # One by one: how many features a sound gives is the encoder's affair.
            parts = [
                self._model.encode(sound[None, :length], frame_count=frames)[0]
                for sound, length, frames in zip(features, counts, batch.frames, strict=True)
            ]
            features, counts = pad_sequence(parts, batch_first=True), tuple(len(part) for part in parts)
        prediction = self._model.decode(features, batch.frames, batch.identity, batch.head, counts)
        return self._losses[batch.head](prediction, batch.target, batch.mask)

    @torch.inference_mode()
    def _validate(self, name: StageName) -> dict[str, float]:
        loader = self._loader(self._material.validation, None, name, pivot_probability=0.0)
        sums: dict[str, list[float]] = defaultdict(list)
        self._model.eval()
        for entry in self._material.validation.entries:
            batch = loader.load([entry], np.random.default_rng(0)).to(self._device)
            sums[entry.head].append(float(self._loss(batch)))
        return {head: float(np.mean(values)) for head, values in sums.items()}

    def _loader(self, store: Store, crop_seconds: float | None, name: StageName, pivot_probability: float) -> Loader:
        identities = self._material.spec.identities
        return Loader(store, identities, pivot_probability, crop_seconds, from_audio=name == "joint")

    def _stage(self, name: StageName) -> Stage:
        return self._recipe.warm_up if name == "warm_up" else self._recipe.joint

    def _rng(self, position: Position, batch: int) -> np.random.Generator:
        """Chance of one batch, or with -1 of the order of an epoch."""
        return np.random.default_rng([self._recipe.seed, _STAGES.index(position.stage), position.epoch, batch + 1])

    def _save(self, position: Position, optimiser: torch.optim.Optimizer | None) -> None:
        save_checkpoint(
            Checkpoint(
                recipe=self._recipe,
                spec=self._material.spec,
                position=position,
                model=self._model.state_dict(),
                optimiser={} if optimiser is None else optimiser.state_dict(),
                random=random_state(),
                tally=self._tally,
                history=tuple(self._history),
            ),
            self._path,
        )
        self._saved = time.monotonic()


def _learning_rate(optimiser: torch.optim.Optimizer) -> float:
    """Of decoder and heads without a rate of their own."""
    return float(optimiser.param_groups[PLAIN_GROUP]["lr"])

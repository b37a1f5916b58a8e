"""The training loop: decoder warm-up on stored features, then, if asked for, joint training with the encoder.

What a step sees depends only on the seed and its position, and a checkpoint holds the rest, so that a training that
was interrupted anywhere goes on, on a CPU to the last bit, as if nothing had happened.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from backend.model.spec import ModelSpec
from backend.model.unitalker import UniTalker
from training.batches import Batch, Loader, Spread
from training.checkpoint import Checkpoint, Position, save_checkpoint
from training.config import Recipe, Stage
from training.distributed import Processes
from training.interruption import Interruption, Stopped
from training.losses import Loss
from training.observer import EpochReport, History, Observer, StageName, StepReport
from training.read_ahead import read_ahead
from training.sampling import epoch_order
from training.schedule import rate_factor
from training.stage_training import StageState, StageTraining
from training.stopping import check_metric, has_stalled, is_best, validation_metric
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
        data: digest of the data's manifest, see `training.data_manifest`.
    """

    recipe: Recipe
    spec: ModelSpec
    model: UniTalker
    losses: dict[str, Loss]
    training: Store
    validation: Store
    data: str = ""

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
        self._processes = Processes(device)
        self._material = material
        self._recipe = material.recipe
        self._model = material.model.to(self._processes.device)
        self._losses = {name: loss.to(self._processes.device) for name, loss in material.losses.items()}
        self._run = run
        self._observer = observer if observer is not None and self._processes.is_first else Observer()
        self._interruption = Interruption()
        self._saved = time.monotonic()
        self._tally = Tally()
        self._history: list[EpochReport] = []

    def fit(self, resumed: Checkpoint | None = None) -> None:
        """Trains to the end, from the beginning or from where `resumed` stands.

        Raises:
            UniTalkerError: the loss is no longer a number; names the sequences.
            Stopped: SIGINT or SIGTERM came, and the training was saved.
        """
        heads = {entry.head for entry in self._material.validation.entries}
        for name in _STAGES:
            check_metric(self._stage(name), name, heads)
        position = Position()
        if resumed is None:
            self._save(position)
            # The other processes begin with what the first has saved.
            self._processes.wait()
        else:
            position = resumed.position
            self._model.load_state_dict(resumed.model)
            self._tally, self._history = resumed.tally, list(resumed.history)
        self._observer.begin(History(tuple(self._history), position.stage, self._steps_done(position)))
        with self._interruption:
            self._fit_stages(position, StageState() if resumed is None else resumed.stage)

    def _fit_stages(self, position: Position, state: StageState) -> None:
        for name in _STAGES[_STAGES.index(position.stage) :]:
            if position.stage != name:
                position, state = Position(stage=name), StageState()
            if not position.done:
                position = self._fit_stage(position, state)
        self._save(replace(position, done=True))

    def _fit_stage(self, position: Position, state: StageState) -> Position:
        stage = self._stage(position.stage)
        training = StageTraining(self._model, self._losses, stage, self._processes)
        training.load_state(state)
        for epoch in range(position.epoch, stage.epochs):
            if has_stalled(self._epochs_of(position.stage), stage.early_stop):
                break
            first = position.batch if epoch == position.epoch else 0
            self._fit_epoch(replace(position, epoch=epoch, batch=first), stage, training)
        training.finish()
        return replace(position, epoch=stage.epochs, batch=0)

    def _fit_epoch(self, position: Position, stage: Stage, training: StageTraining) -> None:
        order = self._order(position, stage)
        self._model.train()
        waited = time.monotonic()
        for number, parts in enumerate(self._parts(order, position, stage), position.batch):
            loaded = time.monotonic()
            here = replace(position, batch=number)
            loss = self._step(here, order, parts, stage, training)
            head = order[number][0].head
            self._tally.add(head, loss, time.monotonic() - waited, loaded - waited)
            done, steps = position.epoch * len(order) + number + 1, stage.epochs * len(order)
            rate = training.learning_rate
            self._observer.step(StepReport(position.stage, position.epoch, done, steps, head, loss, rate))
            self._save_if_due(replace(position, batch=number + 1), training)
            waited = time.monotonic()
        self._end_epoch(position, stage, training, len(order))

    def _parts(self, order: list[list[Entry]], position: Position, stage: Stage) -> Iterator[list[Batch]]:
        """What this process computes of each step from `position` on."""
        loader = self._loader(self._material.training, stage, position.stage)
        spread = Spread(self._processes.number, self._processes.count, stage.accumulate)
        return read_ahead(
            lambda number: loader.load_parts(order[number], self._rng(position, number), spread),
            range(position.batch, len(order)),
        )

    def _step(
        self, position: Position, order: list[list[Entry]], parts: list[Batch], stage: Stage, training: StageTraining
    ) -> float:
        step = position.epoch * len(order) + position.batch
        # Dropout, too, follows from the position; processes draw differently.
        torch.manual_seed(int(self._rng(position, position.batch, self._processes.number).integers(2**63)))
        training.set_rate(rate_factor(step, stage.epochs * len(order), stage.optimiser))
        loss = training.gradients(parts)
        if not np.isfinite(loss):
            raise _diverged(f"The loss of step {step + 1} is {loss}", order[position.batch])
        training.step()
        return loss

    def _end_epoch(self, position: Position, stage: Stage, training: StageTraining, steps: int) -> None:
        started = time.monotonic()
        with training.evaluated():
            validation = self._validate(training, position.stage)
        metric = validation_metric(validation, stage.early_stop)
        report = EpochReport(
            stage=position.stage,
            epoch=position.epoch,
            training=self._tally.means,
            validation=validation,
            seconds=self._tally.seconds + time.monotonic() - started,
            steps=(position.epoch + 1) * steps,
            learning_rate=training.learning_rate,
            steps_per_second=self._tally.steps_per_second,
            loading_share=self._tally.loading_share,
            metric=metric,
            best=is_best(metric, self._epochs_of(position.stage)),
        )
        if stage.early_stop is not None and report.best:
            training.keep_best()
        self._history.append(report)
        self._tally = Tally()
        self._save(replace(position, epoch=position.epoch + 1, batch=0), training)
        self._observer.epoch(report)
        if has_stalled(self._epochs_of(position.stage), stage.early_stop):
            self._observer.note(_stalled(self._epochs_of(position.stage)))

    def _validate(self, training: StageTraining, name: StageName) -> dict[str, float]:
        """Mean loss by head over the validation sequences, which the processes share out."""
        store = self._material.validation
        own = store.entries[self._processes.number :: self._processes.count]
        loader = self._loader(store, None, name)
        heads = list(dict.fromkeys(entry.head for entry in store.entries))
        sums = torch.zeros(len(heads), 2, dtype=torch.float64)
        self._model.eval()
        for entry, batch in zip(
            own, read_ahead(lambda e: loader.load([e], np.random.default_rng(0)), own), strict=True
        ):
            sums[heads.index(entry.head)] += torch.tensor([training.loss(batch), 1.0])
        totals = self._processes.total(sums).tolist()
        return {head: total / count for head, (total, count) in zip(heads, totals, strict=True)}

    def _save_if_due(self, position: Position, training: StageTraining) -> None:
        """Saves when it is time, and when the process is told to end; then it does end."""
        minutes = (time.monotonic() - self._saved) / 60
        due = float(self._processes.is_first and minutes > self._recipe.checkpoint_minutes)
        # Signals do not reach all processes at once.
        signals = self._processes.total(torch.tensor([due, float(self._interruption.signal is not None)]))
        due_anywhere, told = signals.tolist()
        if due_anywhere or told:
            self._save(position, training)
        if told:
            raise self._stopped(position)

    def _save(self, position: Position, training: StageTraining | None = None) -> None:
        if training is not None and not training.is_finite():
            raise _diverged("The weights are no longer numbers", [])
        self._saved = time.monotonic()
        if not self._processes.is_first:
            return
        save_checkpoint(
            Checkpoint(
                recipe=self._recipe,
                spec=self._material.spec,
                position=position,
                model=self._model.state_dict(),
                stage=StageState() if training is None else training.state(),
                tally=self._tally,
                history=tuple(self._history),
                data=self._material.data,
            ),
            self._run / CHECKPOINT,
        )

    def _order(self, position: Position, stage: Stage) -> list[list[Entry]]:
        entries = self._material.training.entries
        return epoch_order(entries, stage.batch, stage.crop_seconds, stage.balance, self._rng(position, -1))

    def _steps_done(self, position: Position) -> int:
        """Steps before a position in its stage."""
        return position.epoch * len(self._order(position, self._stage(position.stage))) + position.batch

    def _epochs_of(self, name: StageName) -> list[EpochReport]:
        return [report for report in self._history if report.stage == name]

    def _loader(self, store: Store, stage: Stage | None, name: StageName) -> Loader:
        """Of the sequences as a stage trains on them; whole and under their own identities without one."""
        crop_seconds = None if stage is None else stage.crop_seconds
        pivot_probability = 0.0 if stage is None else self._recipe.pivot_probability
        return Loader(store, self._material.spec.identities, pivot_probability, crop_seconds, name == "joint")

    def _stage(self, name: StageName) -> Stage:
        return self._recipe.warm_up if name == "warm_up" else self._recipe.joint

    def _rng(self, position: Position, batch: int, *purpose: int) -> np.random.Generator:
        """Chance of one batch, or with -1 of the order of an epoch."""
        stage = _STAGES.index(position.stage)
        return np.random.default_rng([self._recipe.seed, stage, position.epoch, batch + 1, *purpose])

    def _stopped(self, position: Position) -> Stopped:
        number = self._interruption.signal or signal.SIGTERM
        return Stopped(
            number,
            f"Stopped by {number.name} after step {self._steps_done(position)} of {position.stage}, which is saved.",
            f"Go on with unitalker train resume {self._run}",
        )


def _diverged(what: str, entries: list[Entry]) -> UniTalkerError:
    names = f", with the sequences {'; '.join(entry.name for entry in entries)}" if entries else ""
    return UniTalkerError(
        "training.diverged",
        f"{what}{names}. The last checkpoint is from before.",
        f"{'Look at these clips, l' if entries else 'L'}ower the learning rate, or set clip_norm; "
        "then unitalker train resume.",
    )


def _stalled(epochs: list[EpochReport]) -> str:
    best = next(report for report in reversed(epochs) if report.best)
    return (
        f"{best.stage} ends early: no epoch after epoch {best.epoch + 1} had a lower validation metric "
        f"({best.metric:.4g}); its weights are kept"
    )

"""What a training tells those who watch it: the console, the log of the run, TensorBoard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StageName = Literal["warm_up", "joint"]


@dataclass(frozen=True)
class StepReport:
    """One step of the optimiser.

    Attributes:
        stage: ``warm_up`` or ``joint``.
        epoch: from 0.
        done: steps done in the stage, this one included.
        steps: of the whole stage.
        head: annotation type of the batch.
        loss: mean over the batch's valid frames.
        learning_rate: of decoder and heads.
    """

    stage: StageName
    epoch: int
    done: int
    steps: int
    head: str
    loss: float
    learning_rate: float


@dataclass(frozen=True)
class EpochReport:
    """What an epoch brought.

    Attributes:
        stage: ``warm_up`` or ``joint``.
        epoch: from 0 in each stage.
        steps: done in the stage after this epoch; with the stage the x-axis of curves.
        training: mean loss by head.
        validation: the same on the validation sequences, without dropout, with the weights that an export would get;
            heads without validation sequences are left out.
        seconds: spent on the epoch, its validation included; all processes that had a part in it count.
        learning_rate: of decoder and heads at the last step.
        steps_per_second: of the training steps.
        loading_share: part of the training steps' time that was spent waiting for data, 0 to 1.
        metric: the validation metric by which the stage is judged (its mean over heads unless the recipe names a
            head); ``None`` without validation sequences.
        best: whether no earlier epoch of the stage had a lower `metric`.
    """

    stage: StageName
    epoch: int
    training: dict[str, float]
    validation: dict[str, float]
    seconds: float
    steps: int = 0
    learning_rate: float = 0.0
    steps_per_second: float = 0.0
    loading_share: float = 0.0
    metric: float | None = None
    best: bool = False


@dataclass(frozen=True)
class History:
    """What was trained before a process took over, as its checkpoint has it.

    Attributes:
        epochs: reports of all epochs so far, in order.
        stage: in which the training goes on.
        steps: done in that stage.
    """

    epochs: tuple[EpochReport, ...] = ()
    stage: StageName = "warm_up"
    steps: int = 0


class Observer:
    """Is told how a training goes; does nothing by itself.

    Only the first of several processes tells anybody.
    """

    def begin(self, history: History) -> None:
        """Before the first step of this process.

        What an observer wrote of a later moment than `history` belongs to steps that were lost with the process
        before, and will be trained again: logs are to be rewritten from `history`.
        """

    def step(self, report: StepReport) -> None:
        """After each step."""

    def epoch(self, report: EpochReport) -> None:
        """After each epoch, when its checkpoint is written."""

    def note(self, text: str) -> None:
        """A sentence for people, such as why a stage ended early."""

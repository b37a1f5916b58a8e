"""Everything that watches a training: console, log of the run, TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from training.console import TrainingConsole
from training.observer import EpochReport, History, Observer, StepReport
from training.run_log import LOG_FILE, RunLog
from training.tensorboard import TENSORBOARD_FOLDER, TensorBoard


class Observers(Observer):
    """Several as one, told in their order."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def begin(self, history: History) -> None:
        for observer in self._observers:
            observer.begin(history)

    def step(self, report: StepReport) -> None:
        for observer in self._observers:
            observer.step(report)

    def epoch(self, report: EpochReport) -> None:
        for observer in self._observers:
            observer.epoch(report)

    def note(self, text: str) -> None:
        for observer in self._observers:
            observer.note(text)


@contextmanager
def watch(run: Path, console: TrainingConsole) -> Iterator[Observer]:
    """The console, and the files of a run that keep what it shows.

    Args:
        run: folder; nothing is written before the training begins.
        console: is told first.
    """
    log = run / LOG_FILE
    # TensorBoard reads the log when a training begins, so the log comes before it.
    with closing(TensorBoard(run / TENSORBOARD_FOLDER, log)) as tensorboard:
        yield Observers(console, RunLog(log), tensorboard)

"""What a person sees of a training while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from training.observer import EpochReport, History, Observer, StepReport
from training.store import Progress
from training.work_progress import ProgressLines

_STAGES = {"warm_up": "decoder warm-up", "joint": "joint training"}


class TrainingConsole(Observer):
    """Shows steps as a bar and epochs as lines.

    Args:
        lines: where.
    """

    def __init__(self, lines: ProgressLines) -> None:
        self._lines = lines

    def preparation(self, name: str) -> Progress:
        """For `training.runs`: tells how far a stage of the preparation is."""
        return lambda done, what: self._lines.update(name, done, None, what)

    def begin(self, history: History) -> None:
        if history.steps or history.epochs:
            self._lines.say(f"going on in the {_STAGES[history.stage]} after {history.steps} steps of it")

    def step(self, report: StepReport) -> None:
        self._lines.update(_STAGES[report.stage], report.done, report.steps, f"loss {report.loss:.3f}")

    def epoch(self, report: EpochReport) -> None:
        losses = ", ".join(
            f"{head} {value:.3f} (validation {report.validation[head]:.3f})"
            if head in report.validation
            else f"{head} {value:.3f}"
            for head, value in report.training.items()
        )
        self._lines.say(
            f"{_STAGES[report.stage]}, epoch {report.epoch + 1}, {report.seconds:.0f} s, "
            f"{report.steps_per_second:.2g} steps/s: {losses}{' (best so far)' if report.best else ''}"
        )

    def note(self, text: str) -> None:
        self._lines.say(text)


@contextmanager
def training_console() -> Iterator[TrainingConsole]:
    """A console on stderr."""
    with ProgressLines() as lines:
        yield TrainingConsole(lines)

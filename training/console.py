"""Progress for people: bars in a terminal, now and then a line elsewhere."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from training.observer import EpochReport, History, Observer, StepReport
from training.store import Progress as ReportProgress

_SECONDS_BETWEEN_LINES = 30.0


class TrainingConsole(Observer):
    """Shows a training and writes a line per epoch into the log of its run.

    Args:
        console: to show on.
        bars: drawn while a terminal is there.
        log: JSON lines.
    """

    def __init__(self, console: Console, bars: Progress, log: Path) -> None:
        self._console = console
        self._bars = bars
        self._log = log
        self._tasks: dict[str, TaskID] = {}
        self._spoken = time.monotonic()

    def preparation(self, name: str) -> ReportProgress:
        """For `training.runs`: tells how far a stage of the preparation is."""

        def report(done: int, what: str) -> None:
            self._advance(name, done, None, what)

        return report

    def begin(self, history: History) -> None:
        """Each epoch stands in the log once, also where a process ended between an epoch and its line."""
        self._log.write_text("".join(map(_line, history.epochs)), encoding="utf-8")

    def step(self, report: StepReport) -> None:
        self._advance(report.stage, report.done, report.steps, f"loss {report.loss:.3f}")

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def epoch(self, report: EpochReport) -> None:
        with self._log.open("a", encoding="utf-8") as file:
            file.write(_line(report))
        losses = ", ".join(
            f"{head} {value:.3f} (validation {report.validation.get(head, float('nan')):.3f})"
            for head, value in report.training.items()
        )
        self._console.print(
            f"{report.stage} epoch {report.epoch + 1}, {report.seconds:.0f} s: {losses}", markup=False, highlight=False
        )

    def _advance(self, name: str, done: int, total: int | None, what: str) -> None:
        if self._console.is_terminal:
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, total=total)
            self._bars.update(self._tasks[name], completed=done, total=total)
        elif time.monotonic() - self._spoken > _SECONDS_BETWEEN_LINES:
            self._spoken = time.monotonic()
            of = "" if total is None else f" of {total}"
            self._console.print(f"{name}: {done}{of}, {what[:80]}", markup=False, highlight=False)


def _line(report: EpochReport) -> str:
    return json.dumps(asdict(report)) + "\n"


@contextmanager
def training_console(log: Path) -> Iterator[TrainingConsole]:
    """A console on stderr for one run.

    Args:
        log: file for the epochs; its folder is made.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:>14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        yield TrainingConsole(console, bars, log)

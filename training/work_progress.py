"""Progress of work that is counted: bars with the time left in a terminal, now and then a line elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 30.0
_LONGEST_REMARK = 80


class ProgressLines:
    """Tells on stderr how far several pieces of work are.

    Args:
        transient: whether the bars vanish at the end.
    """

    def __init__(self, transient: bool = False) -> None:
        self._console = Console(stderr=True)
        # FORCE_COLOR makes rich take a file for a terminal, and a bar is no use in a file.
        self._draws = sys.stderr.isatty() and not self._console.is_dumb_terminal
        columns = (
            TextColumn("{task.description:>14}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[remark]}", markup=False),
        )
        self._bars = Progress(*columns, console=self._console, transient=transient, disable=not self._draws)
        self._tasks: dict[str, TaskID] = {}
        self._spoken = time.monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._bars.stop()

    def update(self, name: str, done: int, total: int | None, remark: str) -> None:
        """How much of one work is done.

        Args:
            name: of the work.
            done: so much of it.
            total: all of it, if known.
            remark: what came last.
        """
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=total, completed=done, remark="")
        task = self._tasks[name]
        self._bars.update(task, completed=done, total=total, remark=remark[:_LONGEST_REMARK])
        if not self._draws and time.monotonic() - self._spoken > _SECONDS_BETWEEN_LINES:
            of = "" if total is None else f" of {total}"
            self.say(f"{name}: {done}{of}, {remark[:_LONGEST_REMARK]}{self._time_left(task)}")

    def say(self, text: str) -> None:
        """Prints a line, above the bars if there are any; a log file gets it unwrapped."""
        self._spoken = time.monotonic()
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _time_left(self, task: TaskID) -> str:
        seconds = self._bars.tasks[self._bars.task_ids.index(task)].time_remaining
        return "" if seconds is None else f", about {_duration(seconds)} left"


@contextmanager
def work_progress(title: str) -> Iterator[Callable[[int, int, str], None]]:
    """Gives a function that is called with how much is done, how much there is, and what came last; on stderr."""
    with ProgressLines(transient=True) as lines:
        yield lambda done, total, what: lines.update(title, done, total, what)


def _duration(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"

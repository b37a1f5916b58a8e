"""Progress of work that is counted: a bar with the time left in a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 30.0


@contextmanager
def work_progress(title: str) -> Iterator[Callable[[int, int, str], None]]:
    """Gives a function that is called with how much is done, how much there is, and what came last; on stderr."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    spoken = time.monotonic()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(title, total=None)

        def report(done: int, total: int, what: str) -> None:
            nonlocal spoken
            bars.update(task, completed=done, total=total)
            if not console.is_terminal and time.monotonic() - spoken > _SECONDS_BETWEEN_LINES:
                spoken = time.monotonic()
                console.print(f"{title}: {done} of {total}, {what}", markup=False, highlight=False)

        yield report

"""What became of a batch: a JSON report for programs, a table for people, an exit code for both."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.table import Table

from backend.batch.item import Item, ItemResult, Status
from backend.export.atomic import atomic_write

SCHEMA = 1
MOST_FAILURES_SHOWN = 20

EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130


class Report:
    """The results of a run, in the order in which they come.

    Args:
        model: name of the model.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.results: list[ItemResult] = []
        self.interrupted = False
        self.seconds = 0.0

    @property
    def exit_code(self) -> int:
        """0 when everything is done, 1 when something failed, 130 when the run was interrupted."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        return EXIT_FAILED if self.count("failed") else EXIT_DONE

    def count(self, status: Status) -> int:
        return sum(result.status == status for result in self.results)

    def finish(self, items: Iterable[Item], seconds: float) -> None:
        """Add what was not reached as pending, and sort by row.

        Args:
            items: all items of the run.
            seconds: how long it took.
        """
        known = {result.output for result in self.results}
        self.results += [ItemResult.of(item, "pending") for item in items if item.output not in known]
        self.results.sort(key=lambda result: result.row)
        self.seconds = seconds

    def write(self, path: Path) -> None:
        """Write the report as JSON (docs/batch.md).

        Raises:
            UniTalkerError: ``output.unwritable``.
        """
        data = {
            "schema": SCHEMA,
            "model": self.model,
            "interrupted": self.interrupted,
            "seconds": round(self.seconds, 3),
            "totals": {status: self.count(status) for status in get_args(Status)},
            "items": [_as_json(result) for result in self.results],
        }
        with atomic_write(path) as file:
            file.write(json.dumps(data, indent=1).encode())
            file.write(b"\n")

    def show(self, console: Console) -> None:
        """Print what failed and the totals."""
        failed = [result for result in self.results if result.failure]
        for result in failed[:MOST_FAILURES_SHOWN]:
            assert result.failure
            console.print(f"failed: row {result.row}: {result.failure.message} {result.failure.hint}".rstrip())
        if len(failed) > MOST_FAILURES_SHOWN:
            console.print(f"and {len(failed) - MOST_FAILURES_SHOWN} more; --report FILE.json lists them all")
        console.print(self._table())
        if self.interrupted:
            console.print("Interrupted; the same command does the rest.")

    def _table(self) -> Table:
        sound = sum(result.seconds for result in self.results if result.status == "done")
        table = Table(title=f"{self.model}: {len(self.results)} items in {self.seconds:.1f} s", title_justify="left")
        for heading in (*get_args(Status), "sound", "times faster than the sound"):
            table.add_column(heading, justify="right")
        counts = Counter(result.status for result in self.results)
        speed = f"{sound / self.seconds:.0f} x" if sound and self.seconds else "-"
        table.add_row(*(str(counts[status]) for status in get_args(Status)), f"{sound:.0f} s", speed)
        return table


def _as_json(result: ItemResult) -> dict[str, object]:
    data = asdict(result)
    for name in ("audio", "output"):
        data[name] = None if data[name] is None else str(data[name])
    return data

"""The results of an evaluation for people: a table for each group of recordings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table

from training.results import Results, Row

_WIDE = 160
"""Columns where nobody looks at a terminal, so that lines in a log are not broken."""


def show_results(results: Results, with_channels: bool = False) -> None:
    """Prints a table for each group of recordings, 95 % intervals in brackets.

    Args:
        results: of an evaluation.
        with_channels: also correlation and lag of every channel.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    for (data, head), rows in groupby(results.rows, key=lambda row: (row.data, row.head)):
        group = list(rows)
        table = _table(f"{data}: {head}", group)
        for name in dict.fromkeys(name for row in group for name in row.numbers):
            table.add_row(name, *(result_cell(row, name) for row in group))
        console.print(table)
        for note in dict.fromkeys(row.note for row in group if row.note):
            console.print(f"note: {note}", highlight=False, markup=False)
        judged = [row for row in group if row.channels]
        if with_channels and judged:
            console.print(_channel_table(f"{data}: {head}, r (lag in ms)", judged))


def _table(title: str, rows: Sequence[Row]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for row in rows:
        table.add_column(row.system, justify="right")
    return table


def _channel_table(title: str, rows: Sequence[Row]) -> Table:
    table = _table(title, rows)
    for several in zip(*(row.channels for row in rows), strict=True):
        if not all(math.isnan(one.pearson_r) for one in several):
            table.add_row(several[0].name, *(f"{one.pearson_r:.2f} ({one.lag_ms:.0f})" for one in several))
    return table


def result_cell(row: Row, name: str) -> str:
    """A number with its interval; nothing where the row does not have it."""
    if name not in row.numbers:
        return ""
    value = _figure(row.numbers[name], 3)
    low, high = row.intervals.get(name, (math.nan, math.nan))
    return value if math.isnan(low) else f"{value} ({_figure(low, 2)} to {_figure(high, 2)})"


def _figure(value: float, digits: int) -> str:
    """So many digits, but no power of ten for what is simply a few hundred."""
    text = f"{value:.{digits}g}"
    return f"{float(text):.0f}" if 10**digits <= abs(float(text)) < 1e5 else text

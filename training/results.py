"""What an evaluation found: rows of named numbers, kept as ``evaluation.json`` in the folder of a run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backend.errors import UniTalkerError
from training.channel_metrics import ChannelMeasure
from training.plain_numbers import read_number, without_nan

RESULTS_FILE = "evaluation.json"


@dataclass(frozen=True)
class Row:
    """One system on one set of recordings.

    Attributes:
        data: data set and split, or a folder of speech.
        head: annotation type.
        system: ``own identity``, ``pivot``, ``linear head``, or ``measured motion`` for the recordings themselves.
        numbers: by name, with its unit where it has one; NaN where it is not defined.
        intervals: 95 % bootstrap interval over recordings of some of the numbers.
        channels: every channel against the measured one; empty for vertices.
        note: what one has to know to read the row.
    """

    data: str
    head: str
    system: str
    numbers: dict[str, float]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    channels: tuple[ChannelMeasure, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Results:
    """All rows of an evaluation, in the order in which they are shown."""

    rows: tuple[Row, ...]


def write_results(results: Results, folder: Path) -> None:
    """Writes ``evaluation.json``; undefined numbers become null."""
    rows = [without_nan(asdict(row)) for row in results.rows]
    (folder / RESULTS_FILE).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def read_results(folder: Path) -> Results | None:
    """What `write_results` wrote; ``None`` if there is nothing yet.

    Raises:
        UniTalkerError: the file is damaged.
    """
    path = folder / RESULTS_FILE
    if not path.is_file():
        return None
    try:
        rows = [_row(row) for row in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UniTalkerError(
            "evaluation.unreadable", f"{path} cannot be read: {error}.", "Run unitalker train evaluate again."
        ) from error
    return Results(tuple(rows))


def _row(row: dict[str, Any]) -> Row:
    return Row(
        data=row["data"],
        head=row["head"],
        system=row["system"],
        numbers={name: read_number(value) for name, value in row["numbers"].items()},
        # Evaluations before there were intervals and channels have neither.
        intervals={
            name: (read_number(low), read_number(high)) for name, (low, high) in row.get("intervals", {}).items()
        },
        channels=tuple(
            ChannelMeasure(one["name"], *(read_number(one[key]) for key in ("pearson_r", "rmse", "lag_ms")))
            for one in row.get("channels", ())
        ),
        note=row.get("note", ""),
    )

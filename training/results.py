"""What an evaluation found: rows of named numbers, kept as ``evaluation.json`` in the folder of a run."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from backend.errors import UniTalkerError

RESULTS_FILE = "evaluation.json"


@dataclass(frozen=True)
class Row:
    """One system on one set of recordings.

    Attributes:
        data: data set and split, or a folder of speech.
        head: annotation type.
        system: ``own identity``, ``pivot`` or ``linear head``.
        numbers: by name, with its unit where it has one; NaN where it is not defined.
    """

    data: str
    head: str
    system: str
    numbers: dict[str, float]


@dataclass(frozen=True)
class Results:
    """All rows of an evaluation, in the order in which they are shown."""

    rows: tuple[Row, ...]


def write_results(results: Results, folder: Path) -> None:
    """Writes ``evaluation.json``; undefined numbers become null."""
    rows = []
    for row in results.rows:
        numbers = {name: None if math.isnan(value) else value for name, value in row.numbers.items()}
        rows.append({**asdict(row), "numbers": numbers})
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
        rows = [
            Row(
                data=row["data"],
                head=row["head"],
                system=row["system"],
                numbers={name: math.nan if value is None else value for name, value in row["numbers"].items()},
            )
            for row in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UniTalkerError(
            "evaluation.unreadable", f"{path} cannot be read: {error}.", "Run unitalker train evaluate again."
        ) from error
    return Results(tuple(rows))

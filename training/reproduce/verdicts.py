"""From numbers to what held: by rule, so that nobody's wish decides.

A comparison is made on the relative error, averaged over the columns that both rows have. It is decided when the mean
difference over the seeds is larger than the spread, the larger of the two rows' standard deviations over the seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from training.reproduce.measure import RELATIVE, Numbers
from training.reproduce.suite import Comparison, Experiment, Reading, Row

Lookup = Callable[[str, int, str], Numbers | None]
"""Numbers of a training, a seed and a measurement; ``None`` where the training was not finished."""


class Outcome(Enum):
    """What the numbers say of a claim."""

    HELD = "held"
    OPPOSITE = "did not hold: the opposite came out"
    TOO_CLOSE = "too close to tell"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Verdict:
    """On one comparison.

    Attributes:
        outcome: by the rule.
        better: mean relative error of the row that the claim prefers; NaN if not run.
        worse: of the other.
        spread: over the seeds.
        seeds: that both rows have.
        columns: in how many columns the claimed row has the lower mean, and of how many.
    """

    outcome: Outcome
    better: float
    worse: float
    spread: float
    seeds: int
    columns: tuple[int, int]


def values(reading: Reading | None, seeds: range, lookup: Lookup, measure: str = RELATIVE) -> np.ndarray:
    """(seeds,): the mean of a reading's measurements; NaN where one is missing."""
    if reading is None:
        return np.full(len(seeds), np.nan)
    found = [[lookup(reading.training, seed, test) for test in reading.tests] for seed in seeds]
    return np.array([_mean([one[measure] if one and measure in one else np.nan for one in row]) for row in found])


def judge(comparison: Comparison, experiment: Experiment, seeds: range, lookup: Lookup) -> Verdict:
    """The verdict on a comparison of an experiment."""
    rows = {row.label: row for row in experiment.rows}
    better, worse = (_table(rows[label], seeds, lookup) for label in (comparison.better, comparison.worse))
    columns = [
        number
        for number, pair in enumerate(
            zip(rows[comparison.better].readings, rows[comparison.worse].readings, strict=True)
        )
        if None not in pair
    ]
    better, worse = better[:, columns], worse[:, columns]
    complete = ~np.isnan(better).any(1) & ~np.isnan(worse).any(1)
    count = int(complete.sum())
    if not count:
        return Verdict(Outcome.NOT_RUN, np.nan, np.nan, np.nan, 0, (0, len(columns)))
    better, worse = better[complete], worse[complete]
    lower = int((better.mean(0) < worse.mean(0)).sum())
    means = float(better.mean()), float(worse.mean())
    spread = max(_spread(better.mean(1)), _spread(worse.mean(1)))
    return Verdict(_outcome(*means, spread, count), *means, spread, count, (lower, len(columns)))


def _outcome(better: float, worse: float, spread: float, seeds: int) -> Outcome:
    """A row with a training that diverged has an infinite error."""
    if np.isinf(better) or np.isinf(worse):
        return Outcome.TOO_CLOSE if better == worse else Outcome.HELD if better < worse else Outcome.OPPOSITE
    difference = worse - better
    if seeds < 2 or abs(difference) <= spread:
        return Outcome.TOO_CLOSE
    return Outcome.HELD if difference > 0 else Outcome.OPPOSITE


def _table(row: Row, seeds: range, lookup: Lookup) -> np.ndarray:
    """(seeds, columns) relative errors."""
    return np.column_stack([values(reading, seeds, lookup) for reading in row.readings])


def _spread(numbers: np.ndarray) -> float:
    """Standard deviation of a sample; 0 for a single number, with which nothing is decided anyway."""
    return float(numbers.std(ddof=1)) if len(numbers) > 1 and np.isfinite(numbers).all() else 0.0


def _mean(numbers: list[float]) -> float:
    return float(np.mean(numbers))

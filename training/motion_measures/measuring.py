"""The numbers of many recordings, with how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.motion_measures.catalogue import MEASURES, Measure
from training.motion_measures.recording import Recording

RESAMPLES = 200


@dataclass(frozen=True)
class Reading:
    """A measure of a set of recordings.

    Attributes:
        value: over all recordings.
        low: lower end of the 95 % bootstrap interval over recordings; NaN for a single one, which cannot tell.
        high: upper end.
        recordings: how many had something to say about it.
    """

    value: float
    low: float
    high: float
    recordings: int

    def differs_from(self, other: Reading) -> bool:
        """Whether the intervals have nothing in common."""
        return self.high < other.low or other.high < self.low


def measure(recordings: Sequence[Recording], measures: Sequence[Measure] = MEASURES) -> dict[str, Reading]:
    """Readings by name; measures about which the recordings do not say enough are left out.

    Args:
        recordings: of one kind of face.
        measures: which.
    """
    found = {}
    for wanted in measures:
        parts = [rows for rows in map(wanted.evidence, recordings) if len(rows)]
        reading = _read(wanted, parts) if parts else None
        if reading is not None and not np.isnan(reading.value):
            found[wanted.name] = reading
    return found


def _read(wanted: Measure, parts: list[np.ndarray]) -> Reading:
    rows = np.concatenate(parts)
    value = wanted.value(rows)
    if len(parts) < 2:
        return Reading(value, float("nan"), float("nan"), len(parts))
    ends = np.cumsum([len(part) for part in parts])
    places = [np.arange(end - len(part), end) for end, part in zip(ends, parts, strict=True)]
    drawn = np.random.default_rng(0).integers(len(parts), size=(RESAMPLES, len(parts)))
    again = [wanted.value(rows[np.concatenate([places[i] for i in draw])]) for draw in drawn]
    known = [number for number in again if not np.isnan(number)]
    low, high = np.percentile(known, (2.5, 97.5)) if known else (float("nan"), float("nan"))
    return Reading(value, float(low), float(high), len(parts))

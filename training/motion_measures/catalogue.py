"""Every measure without ground truth: what it is called, what it means, what is good, and how it is computed.

What stands here separates real motion from motion that was spoilt on purpose; ``docs/measures.md`` has the numbers
and `training.motion_measures.controls` the proof.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import rankdata

from backend.motion.alignment import find_summit
from backend.motion.quality import CLOSED
from training.motion_measures import articulation, movement
from training.motion_measures.recording import Recording

Good = Literal["high", "low", "as measured"]

NEARLY_CLOSED = 0.15
"""Share of the range that lips of real takes fall below in nine of ten p, b and m, measured at 25 frames a second."""


@dataclass(frozen=True)
class Measure:
    """A number about motion and sound.

    Attributes:
        name: of the column, with its unit where it has one.
        meaning: for people.
        good: ``high``, ``low``, or as in measured motion of the same kind of face.
        evidence: rows of one recording, (n, k); no rows where the recording says nothing about it.
        value: of the rows of all recordings; NaN where they do not suffice.
        needs_phones: whether only recordings with known phones count.
    """

    name: str
    meaning: str
    good: Good
    evidence: Callable[[Recording], np.ndarray]
    value: Callable[[np.ndarray], float]
    needs_phones: bool = False


def _share_below(limit: float) -> Callable[[np.ndarray], float]:
    return lambda rows: float(np.mean(rows < limit))


def _area(rows: np.ndarray) -> float:
    """Under the ROC curve, from the ranks of those that should score high (Mann and Whitney); ties count half."""
    wanted = rows[:, 1] > 0
    high, low = int(wanted.sum()), int((~wanted).sum())
    if not (high and low):
        return float("nan")
    return float((rankdata(rows[:, 0])[wanted].sum() - high * (high + 1) / 2) / (high * low))


def _rank_correlation(rows: np.ndarray) -> float:
    if np.ptp(rows, axis=0).min() == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(rows, axis=0), rowvar=False)[0, 1])


def _ratio_of_sums(rows: np.ndarray) -> float:
    part, everything = rows.sum(axis=0)
    return float(part / everything) if everything > 0 else float("nan")


def _speed_in_silence(rows: np.ndarray) -> float:
    silent, frames, spoken, others = rows.sum(axis=0)
    return float(np.sqrt((silent / frames) / (spoken / others))) if spoken > 0 else float("nan")


def _offset_ms(rows: np.ndarray) -> float:
    return 1000 * find_summit(rows[:, :-1].sum(axis=0) / rows[:, -1].sum()).offset


def _correlation(rows: np.ndarray) -> float:
    return find_summit(rows[:, :-1].sum(axis=0) / rows[:, -1].sum()).correlation


def _jerk_hz(rows: np.ndarray) -> float:
    """Frequency of the sine whose jerk and speed have the same ratio."""
    jerk, speed = rows.sum(axis=0)
    return float((jerk / speed) ** 0.25 / (2 * np.pi)) if speed > 0 else float("nan")


def _mean(rows: np.ndarray) -> float:
    return float(rows.mean())


MEASURES = (
    Measure(
        "closures",
        f"share of p, b and m during which the opening falls below {CLOSED:.0%} of its range",
        "high",
        articulation.smallest_opening_of_closures,
        _share_below(CLOSED),
        needs_phones=True,
    ),
    Measure(
        "near closures",
        f"the same below {NEARLY_CLOSED:.0%}, which measured motion reaches",
        "high",
        articulation.smallest_opening_of_closures,
        _share_below(NEARLY_CLOSED),
        needs_phones=True,
    ),
    Measure(
        "false closures",
        f"share of open vowels in whose middle the opening is below {NEARLY_CLOSED:.0%} of its range",
        "low",
        articulation.opening_of_open_vowels,
        _share_below(NEARLY_CLOSED),
        needs_phones=True,
    ),
    Measure(
        "AUC closure",
        "smallest opening: p b m against all other phones",
        "high",
        articulation.closures_among_phones,
        _area,
        needs_phones=True,
    ),
    Measure(
        "AUC rounding",
        "mean rounding: rounded vowels against the other vowels",
        "high",
        articulation.rounding_among_vowels,
        _area,
        needs_phones=True,
    ),
    Measure(
        "AUC lip-teeth",
        "lower lip to upper teeth: f v against other consonants without p b m",
        "high",
        articulation.lip_teeth_among_consonants,
        _area,
        needs_phones=True,
    ),
    Measure(
        "AUC open vowels",
        "largest opening: open vowels against all other phones",
        "high",
        articulation.openness_among_phones,
        _area,
        needs_phones=True,
    ),
    Measure(
        "vowel order",
        "Spearman's correlation, over all vowels spoken, of phonetic openness and the opening in their middle",
        "high",
        articulation.openness_of_vowels,
        _rank_correlation,
        needs_phones=True,
    ),
    Measure(
        "open in silence",
        "mean opening in pauses, as a share of its range",
        "low",
        movement.opening_in_silence,
        _ratio_of_sums,
    ),
    Measure(
        "motion in silence",
        "speed of the opening in pauses, as a share of that in speech (root mean squares)",
        "low",
        movement.speed_in_silence_and_speech,
        _speed_in_silence,
    ),
    Measure(
        "offset (ms)",
        "by how much opening lags behind loudness, at the highest correlation within half a second",
        "as measured",
        movement.correlation_by_offset,
        _offset_ms,
    ),
    Measure(
        "sound r",
        "correlation of opening and loudness at that offset, between 2 and 8 Hz",
        "high",
        movement.correlation_by_offset,
        _correlation,
    ),
    Measure(
        "jerk (Hz)",
        "frequency of the sine whose jerk and speed have the ratio of the opening's",
        "as measured",
        movement.jerk_and_speed,
        _jerk_hz,
    ),
    Measure(
        "above 10 Hz",
        "share of the power of the opening's speed above 10 Hz",
        "as measured",
        movement.fast_and_all_power,
        _ratio_of_sums,
    ),
    Measure(
        "range",
        "5 to 95 % range of the opening, in weights or metres",
        "as measured",
        movement.range_of_opening,
        _mean,
    ),
)

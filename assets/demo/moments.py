# ruff: noqa: RUF001 - IPA letters only look like Latin ones
"""Which moments of the speech the contact sheet shows: those in which one can see whether the lips are right."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

# Shape, phones that show it, and how many moments of a sheet of twelve are given to it; the rest are pauses.
SHAPES = (
    ("open", "ɑ æ aɪ ʌ ɔ ɛ", 4),
    ("closed", "p b m", 3),
    ("round", "u ʊ w oʊ", 2),
    ("lip on teeth", "f v", 2),
)
PAUSE = 0.5


@dataclass(frozen=True)
class Moment:
    """A frame worth a look: seconds from the start of the sound, and what stands under the picture."""

    time: float
    caption: str
    note: str = ""


def choose_moments(words: list[dict[str, Any]], seconds: float, count: int) -> list[Moment]:
    """Moments in the order of time.

    Args:
        words: as in `assets/audio/demo_voice.json`; when empty, moments are spread evenly.
        seconds: length of the sound.
        count: how many.
    """
    if not words:
        times = [seconds * (i + 0.5) / count for i in range(count)]
        return [Moment(time, f"{time:.2f} s") for time in times]
    chosen = _pauses(words)[:1]
    for shape, phones, share in SHAPES:
        chosen += _spread(_spoken(words, set(phones.split()), shape), share * count // 12)
    return sorted(chosen, key=lambda moment: moment.time)


def _spread(moments: list[Moment], count: int) -> list[Moment]:
    """At most `count` of them, evenly over the speech."""
    step = max(1.0, len(moments) / count)
    return [moments[int((i + 0.5) * step)] for i in range(count) if int((i + 0.5) * step) < len(moments)]


def _spoken(words: list[dict[str, Any]], phones: set[str], shape: str) -> list[Moment]:
    return [
        Moment((phone["start"] + phone["end"]) / 2, word["word"], shape)
        for word in words
        for phone in word["phones"]
        if phone["phone"] in phones
    ]


def _pauses(words: list[dict[str, Any]]) -> list[Moment]:
    gaps = [(before["end"], after["start"]) for before, after in pairwise(words)]
    return [Moment((start + end) / 2, "(pause)", "closed") for start, end in gaps if end - start >= PAUSE]

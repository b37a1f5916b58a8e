"""Phones in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.audio import SAMPLE_RATE
from training.synthesis.phones import SILENCE, articulations

_CLOSURE = 0.14


@dataclass(frozen=True)
class Phone:
    """One phone: `start` and `end` in seconds from the first sample, `symbol` an IPA phone or ``SIL``."""

    start: float
    end: float
    symbol: str


Timeline = tuple[Phone, ...]


@dataclass(frozen=True)
class Utterance:
    """Spoken text: `samples` float32 at 16 kHz, `phones` in order without overlap, and who speaks."""

    samples: np.ndarray
    phones: Timeline
    voice: str

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True)
class Track:
    """A timeline as articulatory features: `starts`, `ends` (N,) in seconds, `features` (N, FEATURE_COUNT).

    A diphthong counts as two or three entries. `features` is float32.
    """

    starts: np.ndarray
    ends: np.ndarray
    features: np.ndarray


def track(timeline: Timeline) -> Track:
    """Feature track of a timeline.

    Raises:
        ValueError: a phone has no known articulation.
    """
    starts: list[float] = []
    ends: list[float] = []
    rows: list[np.ndarray] = []
    for phone in timeline:
        states = articulations(phone.symbol)
        edges = np.linspace(phone.start, phone.end, len(states) + 1)
        starts.extend(edges[:-1])
        ends.extend(edges[1:])
        rows.extend(state.vector() for state in states)
    return Track(np.array(starts), np.array(ends), np.array(rows, np.float32))


def with_silences(phones: Timeline, silences: list[tuple[float, float]], duration: float) -> Timeline:
    """The timeline over ``[0, duration]``, with measured silences cut out of the phones and gaps filled by ``SIL``.

    Args:
        phones: what the engine says.
        silences: (start, end) in seconds where the sound itself is quiet, from `training.silence.quiet_spans`.
        duration: of the sound, seconds.

    Plosives are silent by nature: they keep up to 0.14 s before their release even where nothing sounds.
    """
    spoken: list[Phone] = []
    for phone in phones:
        if phone.symbol != SILENCE:
            spoken.extend(_audible_parts(phone, silences))
    timeline: list[Phone] = []
    clock = 0.0
    for phone in sorted(spoken, key=lambda part: part.start):
        start, end = max(phone.start, clock), min(phone.end, duration)
        if end - start < 1e-3:
            continue
        if start - clock > 1e-3:
            timeline.append(Phone(clock, start, SILENCE))
        else:
            start = clock
        timeline.append(Phone(start, end, phone.symbol))
        clock = end
    if duration - clock > 1e-3:
        timeline.append(Phone(clock, duration, SILENCE))
    return tuple(timeline)


def _audible_parts(phone: Phone, silences: list[tuple[float, float]]) -> list[Phone]:
    plosive = articulations(phone.symbol)[0].plosive > 0
    parts = [phone]
    for begin, end in silences:
        stop = min(end, phone.end - _CLOSURE) if plosive else end
        if stop <= begin:
            continue
        parts = [
            Phone(first, last, phone.symbol)
            for part in parts
            for first, last in ((part.start, min(part.end, begin)), (max(part.start, stop), part.end))
            if last > first
        ]
    return parts[-1:] if plosive else parts

"""What single phones look like: closures, rounding, lip to teeth, open vowels. Needs phone times.

An *area* is that under the ROC curve of one quantity for the phones that need it against those that do not; 0.5 is
chance, 1 perfect. A phone's stretch is widened by 40 ms on both sides, since lips move before they sound.

Every function gives the evidence of one recording, a row for each phone that counts; `value` functions in
`training.motion_measures.catalogue` make one number of the rows of many recordings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from backend.motion.quality import as_share
from training.motion_measures.phones import BILABIAL, LABIODENTAL, OPEN, OPENNESS, ROUNDED, VOWELS, Phone
from training.motion_measures.recording import Recording

_MARGIN = 0.04


def smallest_opening_of_closures(recording: Recording) -> np.ndarray:
    """(n, 1): smallest opening during each p, b and m, as a share of the recording's range."""
    opening = recording.mouth.opening
    smallest = [opening[span].min() for phone, span in _spoken(recording) if phone.label in BILABIAL]
    return as_share(opening, np.array(smallest)).reshape(-1, 1)


def opening_of_open_vowels(recording: Recording) -> np.ndarray:
    """(n, 1): opening in the middle of each open vowel, as a share of the recording's range."""
    return _in_the_middle(recording, [p for p, _ in _spoken(recording) if p.label in OPEN]).reshape(-1, 1)


def closures_among_phones(recording: Recording) -> np.ndarray:
    """(n, 2): how closed the lips get during each phone, and whether it is p, b or m."""
    opening = recording.mouth.opening
    return _rows((-opening[span].min(), phone.label in BILABIAL) for phone, span in _spoken(recording))


def openness_among_phones(recording: Recording) -> np.ndarray:
    """(n, 2): how open the lips get during each phone, and whether it is an open vowel."""
    opening = recording.mouth.opening
    return _rows((opening[span].max(), phone.label in OPEN) for phone, span in _spoken(recording))


def rounding_among_vowels(recording: Recording) -> np.ndarray:
    """(n, 2): how round the lips are during each vowel, and whether it is a rounded one."""
    rounding = recording.mouth.rounding
    if rounding is None:
        return _rows(())
    vowels = ((phone, span) for phone, span in _spoken(recording) if phone.label in VOWELS)
    return _rows((rounding[span].mean(), phone.label in ROUNDED) for phone, span in vowels)


def lip_teeth_among_consonants(recording: Recording) -> np.ndarray:
    """(n, 2): how near the lower lip gets to the teeth during each consonant but p b m, and whether it is f or v."""
    lip_teeth = recording.mouth.lip_teeth
    if lip_teeth is None:
        return _rows(())
    consonants = ((phone, span) for phone, span in _spoken(recording) if phone.label not in VOWELS | BILABIAL)
    return _rows((lip_teeth[span].max(), phone.label in LABIODENTAL) for phone, span in consonants)


def openness_of_vowels(recording: Recording) -> np.ndarray:
    """(n, 2): of each vowel its openness in phonetics, and the opening in its middle as a share of the range."""
    vowels = [phone for phone, _ in _spoken(recording) if phone.label in VOWELS]
    shares = _in_the_middle(recording, vowels)
    return np.column_stack([[OPENNESS[phone.label] for phone in vowels], shares]).reshape(-1, 2)


def _spoken(recording: Recording) -> Iterator[tuple[Phone, slice]]:
    """Phones that are spoken, and their frames; those that are cut by the end of the motion are left out."""
    for phone in recording.voice.phones:
        start = max(int((phone.start - _MARGIN) * recording.fps), 0)
        end = int(np.ceil((phone.end + _MARGIN) * recording.fps))
        if phone.is_spoken and end - start >= 2 and end <= len(recording.mouth.opening):
            yield phone, slice(start, end)


def _in_the_middle(recording: Recording, phones: list[Phone]) -> np.ndarray:
    """(n,): opening at half time of each phone, as a share of the range."""
    opening = recording.mouth.opening
    times = [(phone.start + phone.end) / 2 for phone in phones]
    return as_share(opening, np.interp(times, np.arange(len(opening)) / recording.fps, opening))


def _rows(scored: Iterable[tuple[float, bool]]) -> np.ndarray:
    return np.array(list(scored), np.float64).reshape(-1, 2)

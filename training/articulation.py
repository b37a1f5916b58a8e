"""How well a mouth says what is heard, without measured motion: closures, rounding, lip to teeth, opening, pauses.

Each score is the area under the ROC curve of one quantity for the phones that need it against those that do not;
0.5 is chance, 1 perfect. A phone's stretch is widened by 40 ms on both sides, since lips move before they sound.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from backend.annotation import FaceMotion
from backend.errors import UniTalkerError

VOWELS = frozenset(["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"])
BILABIAL = frozenset(["P", "B", "M"])
LABIODENTAL = frozenset(["F", "V"])
ROUNDED = frozenset(["UW", "OW", "AO", "UH", "OY"])
OPEN = frozenset(["AA", "AE", "AY", "AW", "AO"])

_MARGIN = 0.04
_SHORTEST_PAUSE = 0.3
_PAUSE_EDGE = 0.12
_CHANNELS = ("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "mouthRollLower", "mouthLowerDownLeft")


@dataclass(frozen=True)
class Phone:
    """A sound in a recording: seconds, and ARPAbet without stress (``SIL`` for silence)."""

    start: float
    end: float
    label: str

    @property
    def is_silence(self) -> bool:
        return self.label == "SIL" or self.label.startswith(("<", "["))

    @property
    def is_noise(self) -> bool:
        return self.label.startswith("+")


@dataclass(frozen=True)
class Articulation:
    """Scores over a set of recordings; NaN where no phone of the kind occurs.

    Attributes:
        close: smallest opening, for p b m against all other phones.
        round: mean of pucker and funnel, for rounded vowels against the other vowels.
        labiodental: lower lip to upper teeth, for f v against other consonants without p b m.
        open: largest opening, for open vowels against all other phones.
        silence: opening in pauses over 0.3 s, as a share of the recording's own range; 0 is closed.
        range: the opening's 5 to 95 % range, in weights.
    """

    close: float
    round: float
    labiodental: float
    open: float
    silence: float
    range: float

    @property
    def mean(self) -> float:
        """Of the four areas."""
        return float(np.mean([self.close, self.round, self.labiodental, self.open]))


def read_phones(path: Path) -> dict[str, list[Phone]]:
    """Phones by recording: ``{name: [[start, end, phone, ...], ...]}``, or one recording of pocketsphinx's aligner.

    Raises:
        UniTalkerError: neither.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and isinstance(content.get("w"), list):
            name = path.name.removesuffix(".json").removesuffix(".phone")
            return {name: [_aligned(phone) for word in content["w"] for phone in word.get("w", ())]}
        return {name: [_phone(*row[:3]) for row in rows] for name, rows in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UniTalkerError("phones.unreadable", f"{path} holds no phone times: {error}") from error


def articulation(recordings: Iterable[tuple[FaceMotion, list[Phone]]]) -> Articulation:
    """Scores of ARKit weights.

    Args:
        recordings: motion and phones of each; the annotation must have the ARKit mouth channels.
    """
    close: list[tuple[float, bool]] = []
    rounded: list[tuple[float, bool]] = []
    labiodental: list[tuple[float, bool]] = []
    opened: list[tuple[float, bool]] = []
    pauses, ranges = [], []
    for motion, phones in recordings:
        aperture, rounding, lip_teeth = _quantities(motion)
        low, high = np.percentile(aperture, (5, 95))
        ranges.append(high - low)
        for phone in phones:
            if phone.is_silence or phone.is_noise:
                continue
            span = _frames(phone, motion)
            if span is None:
                continue
            close.append((-aperture[span].min(), phone.label in BILABIAL))
            opened.append((aperture[span].max(), phone.label in OPEN))
            if phone.label in VOWELS:
                rounded.append((rounding[span].mean(), phone.label in ROUNDED))
            elif phone.label not in BILABIAL:
                labiodental.append((lip_teeth[span].max(), phone.label in LABIODENTAL))
        for pause in _pauses(phones, motion.fps):
            pauses.append((aperture[pause] - low) / max(high - low, 1e-9))
    return Articulation(
        close=_area(close),
        round=_area(rounded),
        labiodental=_area(labiodental),
        open=_area(opened),
        silence=float(np.concatenate(pauses).mean()) if pauses else float("nan"),
        range=float(np.mean(ranges)) if ranges else float("nan"),
    )


def opening_in(motion: FaceMotion, spans: Iterable[tuple[float, float]]) -> float:
    """Mean opening in stretches of silence, as a share of the recording's own range; NaN without any."""
    aperture, _, _ = _quantities(motion)
    low, high = np.percentile(aperture, (5, 95))
    silence = [Phone(start, end, "SIL") for start, end in spans]
    quiet = [aperture[pause] for pause in _pauses(silence, motion.fps)]
    return float((np.concatenate(quiet).mean() - low) / max(high - low, 1e-9)) if quiet else float("nan")


def has_mouth_channels(names: tuple[str, ...]) -> bool:
    """Whether `articulation` can judge an annotation with these channels."""
    return set(_CHANNELS) <= set(names)


def _quantities(motion: FaceMotion) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Opening, rounding and lip-to-teeth, each (frames,)."""
    names = motion.annotation.names
    jaw, close, pucker, funnel, roll, lower = (motion.values[:, names.index(name)] for name in _CHANNELS)
    aperture = jaw - close
    return aperture, pucker + funnel, roll - lower - aperture


def _frames(phone: Phone, motion: FaceMotion) -> slice | None:
    """Frames of a phone with its margin; ``None`` for fewer than two or beyond the end."""
    start = max(int((phone.start - _MARGIN) * motion.fps), 0)
    end = int(np.ceil((phone.end + _MARGIN) * motion.fps))
    return slice(start, end) if end - start >= 2 and end <= len(motion.values) else None


def _pauses(phones: list[Phone], fps: float) -> list[slice]:
    """Inner frames of pauses that are long enough."""
    spans = [
        slice(int((phone.start + _PAUSE_EDGE) * fps), int((phone.end - _PAUSE_EDGE) * fps))
        for phone in phones
        if phone.is_silence and phone.end - phone.start > _SHORTEST_PAUSE
    ]
    return [span for span in spans if span.stop > span.start]


def _area(scored: list[tuple[float, bool]]) -> float:
    labels = [label for _, label in scored]
    if len(set(labels)) < 2:
        return float("nan")
    return float(roc_auc_score(labels, [score for score, _ in scored]))


def _phone(start: float, end: float, label: str) -> Phone:
    return Phone(float(start), float(end), label.rstrip("012"))


def _aligned(phone: dict[str, Any]) -> Phone:
    return _phone(phone["b"], phone["b"] + phone["d"], phone["t"])

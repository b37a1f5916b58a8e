"""What is said when: phone times from files, and the classes of phones that a mouth shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backend.errors import UniTalkerError

BILABIAL = frozenset(["P", "B", "M"])
LABIODENTAL = frozenset(["F", "V"])
ROUNDED = frozenset(["UW", "OW", "AO", "UH", "OY"])
OPEN = frozenset(["AA", "AE", "AY", "AW", "AO"])
OPENNESS = {
    **dict.fromkeys(("IY", "UW"), 0),
    **dict.fromkeys(("IH", "UH"), 1),
    **dict.fromkeys(("EY", "OW"), 2),
    "ER": 3,
    **dict.fromkeys(("EH", "AH", "AO", "OY"), 4),
    "AE": 5,
    **dict.fromkeys(("AA", "AY", "AW"), 6),
}
"""Height in the chart of the International Phonetic Association, 0 close to 6 open; of diphthongs, where they begin."""
VOWELS = frozenset(OPENNESS)

PHONE_FILES = ("*.phone.json", "phones.json")
_SHORTEST_PAUSE = 0.3


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
    def is_spoken(self) -> bool:
        return not self.is_silence and not self.label.startswith("+")


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
        raise UniTalkerError(
            "phones.unreadable",
            f"{path} holds no phone times: {error}",
            'Expected is {"name of the sound": [[start, end, "phone"], ...]} in seconds and ARPAbet.',
        ) from error


def phones_in(folder: Path, extra: Path | None = None) -> dict[str, list[Phone]]:
    """Phones of the sounds in a folder: its ``*.phone.json`` and ``phones.json``, and a further file."""
    files = [file for pattern in PHONE_FILES for file in sorted(folder.rglob(pattern))]
    found: dict[str, list[Phone]] = {}
    for file in [*files, *([extra] if extra else [])]:
        found |= {Path(name).stem if "/" in name else name: rows for name, rows in read_phones(file).items()}
    return found


def is_phone_file(path: Path) -> bool:
    """Whether a file holds phones, by its name."""
    return any(path.match(pattern) for pattern in PHONE_FILES)


def pauses_of(phones: Sequence[Phone]) -> np.ndarray:
    """(k, 2), seconds: silences of more than 0.3 s."""
    spans = [(p.start, p.end) for p in phones if p.is_silence and p.end - p.start > _SHORTEST_PAUSE]
    return np.array(spans, np.float64).reshape(-1, 2)


def _phone(start: float, end: float, label: str) -> Phone:
    return Phone(float(start), float(end), label.rstrip("012"))


def _aligned(phone: dict[str, Any]) -> Phone:
    return _phone(phone["b"], phone["b"] + phone["d"], phone["t"])

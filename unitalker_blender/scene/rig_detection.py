"""Which convention the shape keys of a mesh follow, and how sure that is. Knows nothing of Blender."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .rig_conventions import ARKIT, Convention, load_conventions
from .shape_key_names import match

_ENOUGH = 0.4
"""Share of a convention's mouth shapes below which likeness of names is chance: a key called "A" is no vowel yet."""


@dataclass(frozen=True)
class Detection:
    """A convention on a mesh.

    Attributes:
        keys: channel → shape keys found for it.
        missing: expected channels without a shape key.
    """

    convention: Convention
    keys: Mapping[str, tuple[str, ...]]
    missing: tuple[str, ...]

    @property
    def found(self) -> int:
        """How many of the expected channels there are."""
        return len(self.convention.expected) - len(self.missing)

    @property
    def share(self) -> float:
        """Confidence: the share of the expected channels, 0 to 1."""
        return self.found / len(self.convention.expected)

    @property
    def mouth_share(self) -> float:
        """The share of the channels of speech."""
        mouth = [name for name in self.convention.expected if self.convention.channels[name].mouth]
        return sum(name not in self.missing for name in mouth) / len(mouth)

    @property
    def speaks(self) -> bool:
        """Whether the mouth can be moved by it."""
        enough = self.mouth_share >= _ENOUGH
        return enough or (self.convention.direct and "jawOpen" in self._moved_by())

    def _moved_by(self) -> set[str]:
        return {shape for name in self.keys for shape in self.convention.channels[name].sum}

    def text(self) -> str:
        """One line for people: ``ARKit: 51 of 52 shapes (98 %), without tongueOut``."""
        total = len(self.convention.expected)
        line = f"{self.convention.title}: {self.found} of {total} shapes ({100 * self.share:.0f} %)"
        return f"{line}, without {some(self.missing)}" if self.missing else line


@functools.lru_cache(maxsize=256)
def detect(names: tuple[str, ...], rigs: Path) -> tuple[Detection, ...]:
    """The conventions by which a mesh with these shape keys can speak, best first; empty when there is none.

    Args:
        names: shape keys without the basis.
        rigs: folder of the conventions.
    """
    found = [find(convention, names) for convention in load_conventions(rigs).values()]
    speaking = [detection for detection in found if detection.speaks]
    return tuple(sorted(speaking, key=_rank, reverse=True))


@functools.lru_cache(maxsize=1024)
def find(convention: Convention, names: tuple[str, ...]) -> Detection:
    """A convention's channels among shape keys."""
    keys = match(tuple(convention.channels), names, convention.spellings).keys
    missing = (
        name
        for name in convention.expected
        if name not in keys and not any(other in keys for other in convention.channels[name].unless)
    )
    return Detection(convention, keys, tuple(missing))


def _rank(detection: Detection) -> tuple[float, float, int, bool]:
    convention = detection.convention
    score = convention.weight * detection.mouth_share
    return round(score, 2), round(detection.share, 2), detection.found, convention.name == ARKIT


def some(names: tuple[str, ...] | list[str]) -> str:
    """A few names of many."""
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown

"""In which order and in what portions the items of a batch are worked on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from backend.batch.item import Item

Portion = tuple[Item, ...]
"""What a worker is given at once: the items of one sound or of several, which share decoding and encoder passes."""


def make_portions(items: Iterable[Item], sounds: int) -> list[Portion]:
    """Items in portions of so many sounds, the largest sounds first, so that no worker ends long after the others.

    Sounds of about the same length come to lie in one portion, which is what batches of windows want. The size of a
    file stands for its length: it costs nothing to ask, and a wrong order costs little.
    """
    by_sound: dict[Path, list[Item]] = defaultdict(list)
    for item in items:
        by_sound[item.audio].append(item)
    groups = sorted(by_sound.values(), key=lambda group: _size(group[0].audio), reverse=True)
    return [_joined(groups[start : start + sounds]) for start in range(0, len(groups), sounds)]


def _joined(groups: Sequence[Sequence[Item]]) -> Portion:
    return tuple(item for group in groups for item in group)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0

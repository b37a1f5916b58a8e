"""In which order and in what portions the items of a batch are worked on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from backend.batch.item import Item

_MOST_BYTES = 20 << 20
"""Of the sounds in a portion together; ten to twenty minutes, whose motion has to fit in memory at once."""

Portion = tuple[Item, ...]
"""What a worker is given at once: the items of one sound or of several, which share decoding and encoder passes."""


def make_portions(items: Iterable[Item], most_sounds: int) -> list[Portion]:
    """Items in portions of so many sounds at most, the largest first, so that no worker ends long after the others.

    Sounds of about the same length come to lie in one portion, which is what batches of windows want. The size of a
    file stands for its length: it costs nothing to ask, and a wrong order costs little.
    """
    by_sound: dict[Path, list[Item]] = defaultdict(list)
    for item in items:
        by_sound[item.audio].append(item)
    portions: list[list[Item]] = []
    sounds = size = 0
    for path in sorted(by_sound, key=_size, reverse=True):
        size += _size(path)
        if not portions or sounds == most_sounds or size > _MOST_BYTES:
            portions.append([])
            sounds, size = 0, _size(path)
        portions[-1] += by_sound[path]
        sounds += 1
    return [tuple(portion) for portion in portions]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0

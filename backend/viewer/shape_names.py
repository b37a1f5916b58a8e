"""Which morph targets of a head a channel moves, by name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

_SPELLINGS = Path(__file__).resolve().parents[2] / "assets" / "rigs" / "arkit52.json"
_SEPARATORS = re.compile(r"[\s_\-.:|]+")


def match_shapes(channels: Sequence[str], shapes: Iterable[str]) -> dict[str, list[str]]:
    """Channel → morph targets: its own name, else another spelling of the same ARKit shape, else both halves of it.

    Upper or lower case and separators do not count. Channels without a morph target are left out.
    """
    known = json.loads(_SPELLINGS.read_text(encoding="utf-8"))
    spellings = {_fold(channel): names for channel, names in known["spellings"].items()}
    halves = {_fold(channel): names for channel, names in known["halves"].items()}
    by_name: dict[str, str] = {}
    for shape in shapes:
        by_name.setdefault(_fold(shape), shape)
    matches = {}
    for channel in channels:
        folded = _fold(channel)
        candidates = (channel, *spellings.get(folded, ()))
        found = [by_name[_fold(name)] for name in candidates if _fold(name) in by_name][:1]
        found = found or [by_name[_fold(half)] for half in halves.get(folded, ()) if _fold(half) in by_name]
        if found:
            matches[channel] = found
    return matches


def _fold(name: str) -> str:
    return _SEPARATORS.sub("", name.casefold())

"""Which morph targets of a head a channel moves, by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from backend.rig.conventions import ARKIT, load_convention

_SEPARATORS = re.compile(r"[\s_\-.:|]+")


def match_shapes(channels: Sequence[str], shapes: Iterable[str]) -> dict[str, list[str]]:
    """Channel → morph targets: its own name, else another spelling of the same ARKit shape, else both halves of it.

    Upper or lower case and separators do not count. Channels without a morph target are left out.
    """
    arkit = {_fold(name): channel for name, channel in load_convention(ARKIT).channels.items()}
    by_name: dict[str, str] = {}
    for shape in shapes:
        by_name.setdefault(_fold(shape), shape)
    matches = {}
    for name in channels:
        known = arkit.get(_fold(name))
        spellings, halves = (known.names, known.halves) if known else ((), ())
        found = _present((name, *spellings), by_name)[:1] or _present(halves, by_name)
        if found:
            matches[name] = found
    return matches


def _present(names: Iterable[str], by_name: dict[str, str]) -> list[str]:
    return [by_name[_fold(name)] for name in names if _fold(name) in by_name]


def _fold(name: str) -> str:
    return _SEPARATORS.sub("", name.casefold())

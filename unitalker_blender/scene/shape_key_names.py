"""Which shape keys a channel drives, by name. Knows nothing of Blender."""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SEPARATORS = re.compile(r"[\s_\-.:|]+")
# "Face.M_F00_000_00_Fcl_MTH_A", "Face.jawOpen", but not the side in "mouthSmile.L"
_MESH_PREFIX = re.compile(r"^.*(?=Fcl_)|^.*[.:|](?=[^.:|]{3,}$)")
_CC_NUMBER = re.compile(r"^a\d\d(?=[a-z])")


class Spellings:
    """How the channels of a convention are spelled as shape keys.

    Args:
        spellings: channel name → other names of the same shape, in order of preference.
        halves: channel name → names of the two shape keys that some heads split it into.
    """

    def __init__(self, spellings: Mapping[str, Sequence[str]], halves: Mapping[str, Sequence[str]]) -> None:
        self.channels = tuple(spellings)
        self._spellings = spellings
        self._halves = halves
        self._canonical = {fold(name): channel for channel, names in spellings.items() for name in (*names, channel)}

    def of(self, channel: str) -> tuple[str, ...]:
        """The names under which a channel is looked for, best first."""
        canonical = self._canonical.get(fold(channel), channel)
        return channel, canonical, *self._spellings.get(canonical, ())

    def halves(self, channel: str) -> tuple[str, ...]:
        return tuple(self._halves.get(self._canonical.get(fold(channel), channel), ()))


@functools.cache
def load_spellings(path: Path) -> Spellings:
    """Read a file of `assets/rigs`."""
    channels = json.loads(path.read_text(encoding="utf-8"))["channels"]
    return Spellings(
        {name: channel["names"] for name, channel in channels.items()},
        {name: channel["halves"] for name, channel in channels.items() if "halves" in channel},
    )


def fold(name: str) -> str:
    """A name without case, separators, width of letters and the number that Character Creator puts in front."""
    return _CC_NUMBER.sub("", _SEPARATORS.sub("", unicodedata.normalize("NFKC", name).casefold()))


class ShapeKeyNames:
    """The shape keys of one mesh, to be found in any spelling.

    Args:
        names: without the basis; of keys whose names differ in case or separators only, the first counts.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._exact = set(names)
        without_prefix = {fold(_MESH_PREFIX.sub("", name)): name for name in reversed(names)}
        self._folded = without_prefix | {fold(name): name for name in reversed(names)}

    def find(self, channel: str, spellings: Spellings) -> tuple[str, ...]:
        """The shape keys of a channel: its exact name, else another spelling, else both halves, else none."""
        if channel in self._exact:
            return (channel,)
        for spelling in spellings.of(channel):
            if found := self._folded.get(fold(spelling)):
                return (found,)
        halves = (self._folded.get(fold(half)) for half in spellings.halves(channel))
        return tuple(half for half in halves if half)


@dataclass(frozen=True)
class Match:
    """Result of matching: ``channel → shape keys`` for those found, and the channels without one."""

    keys: Mapping[str, tuple[str, ...]]
    missing: tuple[str, ...]


def match(channels: Sequence[str], shape_keys: Sequence[str], spellings: Spellings) -> Match:
    """Find the shape keys of each channel; no shape key is driven by two channels, exact names go first."""
    names = ShapeKeyNames(shape_keys)
    found: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for channel in sorted(channels, key=lambda name: name not in shape_keys):
        keys = tuple(key for key in names.find(channel, spellings) if key not in taken)
        if keys:
            found[channel] = keys
            taken.update(keys)
    return Match(
        keys={channel: found[channel] for channel in channels if channel in found},
        missing=tuple(channel for channel in channels if channel not in found),
    )

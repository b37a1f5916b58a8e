"""Names of facial shapes in use, from `assets/rigs`. Knows nothing of Blender."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..client.errors import UniTalkerError
from .shape_key_names import Spellings

SCHEMA = 1
ARKIT = "arkit52"
HEAD_ANGLES = ("headPitch", "headYaw", "headRoll")
"""Sources in radians, which the layers add."""

_MOUTH = ("jaw", "mouth")


@dataclass(frozen=True)
class Channel:
    """One shape of a convention; what the fields mean stands in `backend/rig/conventions.py`."""

    sum: Mapping[str, float]
    pose: Mapping[str, float]
    optional: bool
    unless: tuple[str, ...]
    rest: bool

    @property
    def moves(self) -> bool:
        """Whether it is ever anything but zero."""
        return bool(self.sum or self.pose or self.rest)

    @property
    def mouth(self) -> bool:
        """Whether it takes part in speech."""
        return any(shape.startswith(_MOUTH) for shape in (*self.sum, *self.pose))


@dataclass(frozen=True, eq=False)  # told apart as objects, so that results can be kept by them
class Convention:
    """A set of shapes that heads have under agreed names.

    Attributes:
        name: as the backend calls it.
        direct: whether every channel is a sum of ARKit shapes, so that nothing has to be solved.
        weight: how much its expressiveness counts when a head has the shapes of several conventions.
    """

    name: str
    title: str
    about: str
    direct: bool
    weight: float
    channels: Mapping[str, Channel]
    spellings: Spellings

    @property
    def expected(self) -> tuple[str, ...]:
        """Channels that a head of this convention has."""
        return tuple(name for name, channel in self.channels.items() if not channel.optional)


# A head that has both is moved by its ARKit shapes: 15 visemes say less, and a drawing at a time says least.
_WEIGHTS = {"direct": 1.0, "least squares": 0.75, "one at a time": 0.5}


@functools.cache
def load_conventions(folder: Path) -> Mapping[str, Convention]:
    """All conventions in `assets/rigs`: name → convention. UniTalkerError ``rig.damaged`` when a file is not right."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        if "convention" in data:
            convention = _parse(path, data)
            found[convention.name] = convention
    return found


def _parse(path: Path, data: Mapping[str, Any]) -> Convention:
    try:
        return _convention(data)
    except (KeyError, TypeError, ValueError) as error:
        raise UniTalkerError(
            "rig.damaged", f"{path.name} is damaged: {error!r}.", "Install the add-on again."
        ) from error


def _convention(data: Mapping[str, Any]) -> Convention:
    if data["schema"] != SCHEMA:
        raise ValueError(f"schema {data['schema']}")
    channels = data["channels"]
    return Convention(
        name=data["convention"],
        title=data["title"],
        about=data["about"],
        direct=data["method"] == "direct",
        weight=_WEIGHTS[data["method"]],
        channels={
            name: Channel(
                sum=channel.get("sum", {}),
                pose=channel.get("pose", {}),
                optional=channel.get("optional", False),
                unless=tuple(channel.get("unless", ())),
                rest=channel.get("rest", False),
            )
            for name, channel in channels.items()
        },
        spellings=Spellings(
            {name: channel["names"] for name, channel in channels.items()},
            {name: channel["halves"] for name, channel in channels.items() if "halves" in channel},
        ),
    )

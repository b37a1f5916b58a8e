"""Presets of the direction: data in `assets/presets`, one file each. Knows nothing of Blender."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .client.errors import UniTalkerError

DEFAULT = "natural"
"""What a face is directed by that nobody has directed yet."""

_SCHEMA = 1

NEUTRAL = "neutral"
"""The network's own motion, without anything added."""


@dataclass(frozen=True)
class Preset:
    """One file: `name` is that of the file, `direction` as in docs/protocol.md."""

    name: str
    title: str
    description: str
    direction: dict[str, Any]


def load_presets(assets: Path) -> tuple[Preset, ...]:
    """All presets of the folder `assets`, the default one first; UniTalkerError ``preset.unreadable``."""
    return _load_presets(assets / "presets")


def find_preset(assets: Path, name: str) -> Preset:
    """A preset by its name; UniTalkerError ``preset.not_found``."""
    presets = load_presets(assets)
    for preset in presets:
        if preset.name == name:
            return preset
    raise UniTalkerError(
        "preset.not_found",
        f"There is no preset '{name}'.",
        f"Choose one of: {', '.join(preset.name for preset in presets)}.",
    )


@functools.cache
def _load_presets(folder: Path) -> tuple[Preset, ...]:
    neutral = Preset(NEUTRAL, "Neutral", "The motion as the network says it, with nothing added", {})
    found = [neutral, *(_read(path) for path in sorted(folder.glob("*.json")))]
    return tuple(sorted(found, key=lambda preset: (preset.name != DEFAULT, preset.name == NEUTRAL)))


def _read(path: Path) -> Preset:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["schema_version"] > _SCHEMA:
            raise ValueError(f"it is of schema {data['schema_version']}, this add-on knows {_SCHEMA}")
        return Preset(path.stem, str(data["title"]), str(data["description"]), dict(data["direction"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UniTalkerError(
            "preset.unreadable", f"{path} is not a preset: {error!r}.", "Install the extension again."
        ) from error

"""Directions in files: the presets that come along, and a user's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backend.errors import UniTalkerError
from backend.motion.direction import Direction

SCHEMA = 1
PRESETS_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "presets"

_FORM = '{"schema_version": 1, "title": "…", "description": "…", "direction": {…}}'


def preset_names() -> list[str]:
    """Names of the presets that come along."""
    return sorted(path.stem for path in PRESETS_FOLDER.glob("*.json"))


def read_preset(name_or_path: str) -> dict[str, Any]:
    """The direction of a preset, by its name or as a file, as plain data that `make_direction` takes.

    Raises:
        UniTalkerError: ``direction.not_found``, ``direction.unreadable``, ``direction.newer``.
    """
    if name_or_path in preset_names():
        return read_direction(PRESETS_FOLDER / f"{name_or_path}.json")
    path = Path(name_or_path)
    if path.suffix.lower() != ".json" and not path.is_file():
        raise UniTalkerError(
            "direction.not_found",
            f"There is no preset {name_or_path!r}.",
            f"There are: {', '.join(preset_names())}; or name a .json file.",
        )
    return read_direction(path)


def read_direction(path: Path) -> dict[str, Any]:
    """A direction as plain data, from a preset's file or from one that holds the direction alone.

    Raises:
        UniTalkerError: ``direction.not_found``, ``direction.unreadable``, ``direction.newer``.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UniTalkerError("direction.not_found", f"There is no file {path}.", "Check its name.") from error
    # RecursionError: brackets nested thousands deep.
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, str(error)) from error
    if not isinstance(content, dict):
        raise _unreadable(path, "it is not a JSON object")
    if "direction" not in content and "schema_version" not in content:
        direction: Any = content
    else:
        _check_version(path, content.get("schema_version"))
        direction = content.get("direction")
    if not isinstance(direction, dict):
        raise _unreadable(path, "its direction is not a JSON object")
    make_direction(direction, str(path))
    return direction


def make_direction(settings: Mapping[str, Any], source: str) -> Direction:
    """A direction out of plain data; `source` is named when it is none.

    Raises:
        UniTalkerError: ``direction.unreadable``, naming the first slider that is wrong.
    """
    try:
        return Direction.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UniTalkerError(
            "direction.unreadable", f"{source}: {place}: {first['msg']}.", "docs/protocol.md lists every slider."
        ) from error


@dataclass(frozen=True)
class DirectionChoice:
    """A direction as people ask for it: a preset, on top of it a file, on top of that single sliders.

    Attributes:
        preset: name or file; None for none.
        path: file with sliders that replace those of the preset; None for none.
        intensity, smoothing: sliders; None leaves them to preset and file.
    """

    preset: str | None = None
    path: Path | None = None
    intensity: float | None = None
    smoothing: float | None = None

    def direction(self) -> Direction:
        """All of it together.

        Raises:
            UniTalkerError: ``direction.not_found``, ``direction.unreadable``, ``direction.newer``.
        """
        return _chosen(self)


# A batch asks the same of thousands of sounds.
@lru_cache(maxsize=64)
def _chosen(choice: DirectionChoice) -> Direction:
    sliders = {"intensity": choice.intensity, "smoothing": choice.smoothing}
    named = {name: value for name, value in sliders.items() if value is not None}
    layers = [read_preset(choice.preset)] if choice.preset else []
    layers += [read_direction(choice.path)] if choice.path else []
    return make_direction(merge(*layers, named), "The direction")


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Settings on top of settings: what a later one names counts, also inside of its parts; lists count as a whole."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            below = merged.get(name)
            merged[name] = merge(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def _check_version(path: Path, version: object) -> None:
    if isinstance(version, int) and version > SCHEMA:
        raise UniTalkerError(
            "direction.newer",
            f"{path} has schema version {version}; this program knows {SCHEMA}.",
            "Update UniTalker, or save the preset again with this version.",
        )
    if version != SCHEMA:
        raise _unreadable(path, f"its schema_version is {version!r}")


def _unreadable(path: Path, reason: str) -> UniTalkerError:
    return UniTalkerError("direction.unreadable", f"{path} is no direction: {reason}.", f"It has the form {_FORM}.")

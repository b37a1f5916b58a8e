"""From the panel's settings and a run's own arguments to what that run does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bpy

from . import backend_session, preference_values, presets
from .animate_options import AnimateOptions
from .client.errors import UniTalkerError
from .scene import target as targets
from .scene.sound_source import of_speaker, of_strip
from .settings import direction as directions
from .settings.placement import PlacementSettings, placement_of

_SPEECH = ("model", "head", "identity", "identity_b", "frame_start", "add_sound", "extend_range")


def options(context: bpy.types.Context, given: Mapping[str, Any], needs_target: bool = True) -> AnimateOptions:
    """What a run does.

    Args:
        given: the arguments of `unitalker.animate` that are not left to the panel, and `motion`, `entry` and
            `motion_sound` for a motion file.
        needs_target: False where a mesh will be made.

    Raises:
        UniTalkerError: when one of them makes no sense.
    """
    settings = context.scene.unitalker
    given = dict(given)
    motion = _path(given.get("motion", ""))
    filepath = given.get("motion_sound", "") if motion else given.get("filepath") or settings.filepath
    for name, source in (("strip", of_strip), ("speaker", of_speaker)):
        if given.get(name):
            sound = source(context.scene, given[name])
            filepath = sound.filepath
            given.setdefault("frame_start", sound.frame_start)
    audio = _path(filepath) if motion else _sound_path(filepath)
    target = given.get("object") or settings.target_name(context) if needs_target else ""
    placement = {name: given.get(name, getattr(settings, name)) for name in PlacementSettings.__annotations__}
    face = targets.find_object(context.scene, target) if needs_target else None
    # Who recorded a performance does not want another one on top of it.
    preset, direction = _direction(context, face, given, presets.NEUTRAL if motion else presets.DEFAULT)
    return AnimateOptions(
        target=target,
        audio=audio,
        motion=motion,
        entry=given.get("entry", ""),
        preset=preset,
        direction=direction,
        placement=placement_of(placement),
        update_take=placement["again"] == "UPDATE_TAKE",
        device=given.get("device", preference_values.device()),
        engine=given.get("engine", "auto"),
        **{name: given.get(name, getattr(settings, name)) for name in _SPEECH},
    )


def direction_of_panel(target: bpy.types.Object) -> tuple[str, dict[str, Any] | None]:
    """Preset and sliders of an object; the default preset and None while nobody has directed it."""
    direction = target.unitalker.direction
    if direction.preset or target.unitalker.takes or directions.is_touched(direction):
        return direction.preset, directions.values_of(direction)
    return presets.DEFAULT, None


def _direction(
    context: bpy.types.Context, target: bpy.types.Object | None, given: Mapping[str, Any], untouched: str
) -> tuple[str, dict[str, Any]]:
    """Name of the preset, and the direction with what was given on top; `untouched` while nobody has directed it."""
    from . import performance

    name, sliders = direction_of_panel(target) if target is not None else (untouched, None)
    if target is None or given.get("preset") or sliders is None:
        name = given.get("preset") or (untouched if sliders is None else name)
        values = dict(presets.find_preset(backend_session.assets_folder(), name).direction)
    else:
        start = given.get("frame_start", context.scene.unitalker.frame_start)
        values = performance.sliders(target, start, performance.scene_fps(context.scene))
    values |= _json(given.get("direction", ""))
    values |= {key: given[key] for key in ("intensity", "smoothing") if key in given}
    return name, values


def _json(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text or "{}")
    except ValueError as error:
        raise _bad_direction(text, str(error)) from error
    if not isinstance(values, dict):
        raise _bad_direction(text, "it is not an object")
    return values


def _bad_direction(text: str, reason: str) -> UniTalkerError:
    return UniTalkerError(
        "direction.unreadable",
        f"The direction {text[:80]!r} cannot be read: {reason}.",
        'Give JSON such as {"articulation": 1.2, "blinks": {"on": true}}, as in the files of assets/presets.',
    )


def _sound_path(path: str) -> Path:
    found = _path(path)
    if found is None:
        raise UniTalkerError("audio.none", "No sound file is chosen.", "Choose a wav, flac, ogg or mp3 file as Sound.")
    return found


def _path(path: str) -> Path | None:
    return Path(bpy.path.abspath(path)).absolute() if path else None

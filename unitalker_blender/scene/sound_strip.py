"""The sound in the scene's sequencer, at the frame at which the face starts to speak."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy

from .. import compat

_CHANNELS = 128  # of Blender's sequencer


def add_sound(scene: bpy.types.Scene, path: Path, frame_start: int, duration: float) -> str:
    """Put a sound into the sequencer on a free channel, unless it is there already.

    Playback is set to follow the sound where it was set to play every frame: else picture and sound drift apart.

    Args:
        duration: seconds.

    Returns:
        What kept the sound from being added, empty when nothing did.
    """
    if not compat.HAS_AUDIO:
        return "this Blender is built without sound, so no sound strip was added"
    strips = compat.sequencer_strips(scene)
    if _is_there(strips, path, frame_start):
        return ""
    length = math.ceil(duration * scene.render.fps / scene.render.fps_base)
    channel = _free_channel(strips, frame_start, frame_start + max(1, length))
    if channel is None:
        return "all channels of the sequencer are taken, so no sound strip was added"
    try:
        strips.new_sound(path.stem, str(path), channel=channel, frame_start=frame_start)
    except RuntimeError as error:
        return f"no sound strip was added: {error}"
    if scene.sync_mode == "NONE":
        scene.sync_mode = "AUDIO_SYNC"
    compat.show_in_sequencer(scene)
    return ""


def _is_there(strips: Any, path: Path, frame_start: int) -> bool:
    """Whether the same sound starts at the same frame: a second copy would only make it louder."""
    return any(
        strip.type == "SOUND"
        and strip.frame_start == frame_start
        and not strip.mute
        and Path(bpy.path.abspath(strip.sound.filepath)) == path
        for strip in strips
    )


def _free_channel(strips: Any, first: int, end: int) -> int | None:
    taken = {strip.channel for strip in strips if strip.frame_final_start < end and strip.frame_final_end > first}
    return next((channel for channel in range(1, _CHANNELS + 1) if channel not in taken), None)

"""Sounds that are in the scene already: in the sequencer, or played by a Speaker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

from .. import compat
from ..client.errors import UniTalkerError


@dataclass(frozen=True)
class SoundSource:
    """A sound and when it starts: `filepath` as Blender has it, `frame_start` of its first sample."""

    label: str
    filepath: str
    frame_start: int


def sound_strips(scene: bpy.types.Scene) -> list[Any]:
    """The sound strips of a scene's sequencer, in the order of their start."""
    if scene.sequence_editor is None:
        return []
    strips = [strip for strip in compat.sequencer_strips(scene) if strip.type == "SOUND" and strip.sound is not None]
    return sorted(strips, key=lambda strip: strip.frame_start)


def speakers(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The Speaker objects of a scene that have a sound."""
    return [item for item in scene.objects if item.type == "SPEAKER" and item.data.sound is not None]


def of_strip(scene: bpy.types.Scene, name: str) -> SoundSource:
    """The sound of a strip; a strip that is cut at its beginning still counts from the beginning of its sound."""
    for strip in sound_strips(scene):
        if strip.name == name:
            return SoundSource(name, _path(strip.sound), round(strip.frame_start))
    raise _not_found(f"There is no sound strip '{name}' in the sequencer of '{scene.name}'.")


def of_speaker(scene: bpy.types.Scene, name: str) -> SoundSource:
    """The sound of a Speaker, which plays where its NLA strip is, or at the scene's first frame."""
    for item in speakers(scene):
        if item.name == name:
            return SoundSource(name, _path(item.data.sound), _speaker_start(scene, item))
    raise _not_found(f"There is no Speaker '{name}' with a sound in '{scene.name}'.")


def _speaker_start(scene: bpy.types.Scene, speaker: bpy.types.Object) -> int:
    tracks = speaker.animation_data.nla_tracks if speaker.animation_data else ()
    starts: list[float] = [
        strip.frame_start for track in tracks if not track.mute for strip in track.strips if strip.type == "SOUND"
    ]
    return round(min(starts, default=scene.frame_start))


def _path(sound: bpy.types.Sound) -> str:
    if sound.packed_file is not None:
        raise UniTalkerError(
            "audio.packed",
            f"The sound '{sound.name}' is packed into this file, so there is no sound file to read.",
            "Unpack it (File > External Data > Unpack Resources) and try again.",
        )
    return str(bpy.path.abspath(sound.filepath, library=sound.library))


def _not_found(message: str) -> UniTalkerError:
    return UniTalkerError("audio.not_found", message, "Choose a sound file, or a strip or Speaker that has a sound.")

"""From the backend's motion to what is written into the file: shared by Animate and by the live sliders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bpy

from . import backend_session, preview
from .animate_options import AnimateOptions
from .client.errors import UniTalkerError
from .client.motion import Motion
from .client.protocol import AnimateRequest, ImportRequest, Result
from .scene import target as targets
from .scene.keyed_emotions import with_keyed_emotions
from .scene.rig_resolution import Destination, Resolution, resolve
from .scene.rig_tracks import rig_tracks
from .scene.shape_key_names import fold
from .scene.shape_key_tracks import ShapeKeyTracks, shape_key_tracks
from .scene.track_writer import Track
from .settings import direction as directions
from .settings.takes import UniTalkerTake

FPS_TOLERANCE = 1e-3


def scene_fps(scene: bpy.types.Scene) -> float:
    """Frames per second."""
    return float(scene.render.fps / scene.render.fps_base)


def check_frame_rate(scene: bpy.types.Scene, fps: float, who: str) -> None:
    """Raises ``scene.frame_rate_changed`` unless the scene still has the rate that `who` is animated at."""
    if abs(scene_fps(scene) - fps) > FPS_TOLERANCE:
        raise UniTalkerError(
            "scene.frame_rate_changed",
            f"The frame rate of the scene was changed from {fps:g} while '{who}' was being animated.",
            "Nothing was changed. Run Animate again.",
        )


def rig_of(scene: bpy.types.Scene, target: bpy.types.Object, head: str, assets: Path) -> Resolution | None:
    """How a character is driven.

    Args:
        head: the chosen one; empty for the model's default.

    Returns:
        None for a chosen head that goes by its own channel names, or gives no weights at all.

    Raises:
        UniTalkerError: ``target.none_recognised`` or ``mapping.*``.
    """
    if head and _kind_of(head) not in ("blendshapes", ""):
        return None
    try:
        return resolve(scene, target, assets)
    except UniTalkerError as error:
        if head and error.code == "target.none_recognised":
            return None
        raise


def _kind_of(head: str) -> str:
    """What a head gives, as far as the backend has said; empty otherwise."""
    hello = backend_session.current_hello()
    heads = (item for model in (hello.models if hello else ()) for item in model.heads)
    return next((item.kind for item in heads if item.name == head), "")


def check_files(options: AnimateOptions) -> None:
    """Whether the files of a run are there; UniTalkerError ``audio.not_found`` or ``motion.not_found``."""
    if options.motion is not None and not options.motion.is_file():
        raise UniTalkerError(
            "motion.not_found", f"There is no motion file {options.motion}.", "Choose a .csv, .npz or .json as Motion."
        )
    if options.audio is not None and not options.audio.is_file():
        raise UniTalkerError(
            "audio.not_found",
            f"There is no sound file {options.audio}.",
            "Choose a wav, flac, ogg or mp3 file as Sound.",
        )


def request(
    options: AnimateOptions, fps: float, rig: Mapping[str, Any] | None = None
) -> AnimateRequest | ImportRequest:
    """What the backend is asked for: to compute the motion of a sound, or to read it from a file."""
    if options.motion is not None:
        audio = None if options.audio is None else str(options.audio)
        motion = str(options.motion)
        return ImportRequest(motion, audio, options.entry or None, fps=fps, direction=options.direction, rig=rig)
    return AnimateRequest(
        audio=str(options.audio),
        model=options.model or None,
        head=options.head or None,
        identity=options.identity or None,
        identity_b=options.identity_b or None,
        fps=fps,
        direction=options.direction,
        rig=rig,
        device=options.device,
        engine=options.engine,
    )


def plan(target: bpy.types.Object, motion: Motion, head: str, fps: float, assets: Path) -> ShapeKeyTracks:
    """What moves which shape key; UniTalkerError when the motion does not fit the object or the scene."""
    if motion.unit != "weight":
        raise UniTalkerError(
            "target.not_weights",
            f"The head '{head}' gives positions or parameters (unit '{motion.unit}'), not shape key weights.",
            "Choose a blendshape head, or press Animate Vertices.",
        )
    if abs(motion.fps - fps) > FPS_TOLERANCE:
        raise UniTalkerError(
            "result.frame_rate",
            f"The backend answered with {motion.fps:g} frames per second, asked for were {fps:g}.",
            "Install add-on and backend from the same release.",
        )
    if motion.names and Destination.parse(motion.names[0]) is not None:
        return rig_tracks(motion)
    match = targets.match_channels(target, motion.names, targets.arkit_spellings(assets), head)
    return shape_key_tracks(target.data.shape_keys, motion, match.keys)


def sliders(target: bpy.types.Object, frame_start: int, fps: float) -> dict[str, Any]:
    """The direction that the object's sliders show, with the emotions that are keyed as curves."""
    direction = target.unitalker.direction
    return with_keyed_emotions(target, directions.values_of(direction), frame_start, fps)


def note_result(take: UniTalkerTake, direction: Mapping[str, Any], result: Result, tracks: ShapeKeyTracks) -> None:
    """Write down in a take what came of it."""
    take.direction = json.dumps(direction)
    take.raw, take.quality = result.take, json.dumps(result.quality)
    take.beyond = json.dumps(tracks.beyond)
    take.waveform = preview.encode(result.waveform)
    take.curve = preview.encode(preview.shorten(_mouth(tracks).values))


def _mouth(tracks: ShapeKeyTracks) -> Track:
    """What opens the mouth; where nothing is called so, what moves most."""
    jaws = [track for track in tracks.tracks if fold(track.label) == "jawopen"]
    return jaws[0] if jaws else max(tracks.tracks, key=lambda track: float(track.values.max() - track.values.min()))


def find_target(uid: int) -> bpy.types.Object | None:
    """The object of a session id, wherever undo has put it."""
    return next((item for item in bpy.data.objects if item.session_uid == uid), None)

"""`blender -b face.blend --command unitalker animate --audio voice.wav --object Head --output out.blend`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import bpy

from .. import animate_settings, backend_session
from ..animate_options import AnimateOptions
from ..client.errors import UniTalkerError
from ..job import Job
from ..properties import DEVICES, ENGINES
from ..scene import rig_resolution
from ..scene import target as targets
from ..scene.scene_export import check_output, export_scene, sound_note
from ..settings.interchange import METHODS
from ..settings.placement import DENSITY, INTERPOLATION, WHERE
from .export import OUTPUT_HELP

_STEP = 0.1  # seconds

# Arguments that are called as those of `unitalker.animate`.
_SAME_NAME = (
    "model",
    "head",
    "identity",
    "identity_b",
    "preset",
    "direction",
    "intensity",
    "smoothing",
    "frame_start",
    "device",
    "engine",
    "where",
    "action",
    "density",
    "key_step",
    "key_error",
    "interpolation",
    "blend",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `animate`."""
    add = parser.add_argument
    add("--audio", default="", help="sound file: wav, flac, ogg or mp3")
    add("--motion", default="", help="motion file (.csv, .npz, .json) to take instead of computing it from --audio")
    add("--entry", default="", help="which result of an .npz that holds several: SOUND/DATA SET")
    add("--output", required=True, help=OUTPUT_HELP)
    add("--object", default="", help="mesh with the face (default: the active one, else the only one with ARKit keys)")
    add("--model", default="", help="model folder by name (default: the first)")
    add("--head", default="", help="output of the model (default: the model's)")
    add("--identity", default="", help="whose way of speaking (default: the model's)")
    add("--identity-b", default="", help="whose way of speaking the style blend goes over to")
    add("--preset", help="how the face is directed, see assets/presets (default: as its sliders say)")
    add("--direction", help="JSON as in a preset; overrides preset and sliders")
    add("--intensity", type=float, help="all motion is multiplied by this; overrides preset and sliders")
    add("--smoothing", type=float, help="seconds over which motion is smoothed; overrides preset and sliders")
    add("--frame-start", type=int, default=1, help="frame at which the sound starts")
    add("--no-sound", action="store_true", help="do not put the sound into the sequencer")
    add("--keep-range", action="store_true", help="do not extend the scene's frame range")
    add("--device", choices=_names(DEVICES), help="where to compute (default: as in the preferences)")
    add("--engine", choices=_names(ENGINES), default="auto", help="what computes the model")
    _add_placement(parser.add_argument_group("keys"))
    _add_vertices(parser.add_argument_group("heads of vertices"))


def _add_placement(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--where", type=str.upper, choices=_names(WHERE), default="NEW_ACTION", help="where the keys go")
    add("--action", default="", help="name of the Action for --where NAMED_ACTION")
    add("--density", type=str.upper, choices=_names(DENSITY), default="EVERY", help="how many keys are written")
    add("--key-step", type=int, default=2, metavar="N", help="frames from key to key for --density NTH")
    add("--key-error", type=float, default=0.005, help="how far off the curve may be for --density DECIMATED")
    add("--interpolation", type=str.upper, choices=_names(INTERPOLATION), default="LINEAR", help="between the keys")
    add("--span", type=int, nargs=2, metavar=("FROM", "TO"), help="write these frames only")
    add("--blend", type=int, default=5, help="frames at both ends of --span that are blended")
    add("--update-take", action="store_true", help="replace the take in which the sound was animated before")


def _add_vertices(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--vertices", type=str.upper, choices=_names(METHODS), metavar="KEYS|CACHE", help="move vertices, and by what")
    add("--new-mesh", action="store_true", help="move a new mesh in the head's own topology")
    add("--tolerance-mm", type=float, default=0.1, help="no more shape keys than keep every vertex this close")
    add("--most-keys", type=int, default=32, help="no more shape keys than this")
    add("--cache", default="", help="the .pc2 to write (default: beside the open file)")


def _names(items: tuple[tuple[str, str, str], ...]) -> list[str]:
    return [name for name, *_ in items]


def run(options: argparse.Namespace) -> None:
    """Animate, save, and say so; UniTalkerError when it cannot be done."""
    output = Path(options.output).absolute()
    check_output(bpy.context.scene, output)
    order = speak(options)
    export_scene(bpy.context.scene, output)
    print(f"saved {output}")
    sound = order.audio.name if order.audio else ""
    if sound and (note := sound_note(bpy.context.scene, output, sound, order.frame_start)):
        print(note)


def speak(options: argparse.Namespace) -> AnimateOptions:
    """Animate the open file and write nothing; returns what was done. UniTalkerError when it cannot be."""
    # Not at the top: jobs bring numpy, which registration has no time for.
    if options.vertices:
        from .. import vertex_options
        from ..vertex_job import VertexJob

        order = vertex_options.options(bpy.context, _given(options) | _given_vertices(options))
        _run(VertexJob(bpy.context.scene, order, backend_session.get()))
        return order.speech
    from ..animation_job import AnimationJob

    speech = animate_settings.options(bpy.context, _given(options))
    _run(AnimationJob(bpy.context.scene, speech, backend_session.get()))
    return speech


def _given_vertices(options: argparse.Namespace) -> dict[str, Any]:
    """The further arguments of `unitalker.animate_vertices`."""
    return {
        "vertex_head": options.head,
        "method": options.vertices,
        "new_mesh": options.new_mesh,
        "tolerance_mm": options.tolerance_mm,
        "most_keys": options.most_keys,
        "cache": str(Path(options.cache).absolute()) if options.cache else "",
    }


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `unitalker.animate`; what is None is left to the file."""
    if not options.audio and not options.motion:
        raise UniTalkerError("audio.none", "No sound file is named.", "Name one with --audio, or a --motion file.")
    span = options.span
    audio = str(Path(options.audio).absolute()) if options.audio else ""
    given = {
        "object": options.object or ("" if options.new_mesh else _default_target()),
        "motion": str(Path(options.motion).absolute()) if options.motion else "",
        "motion_sound": audio,
        "entry": options.entry,
        "filepath": audio,
        "add_sound": not options.no_sound,
        "extend_range": not options.keep_range,
        "use_span": span is not None,
        "again": "UPDATE_TAKE" if options.update_take else "NEW_TAKE",
        **{name: getattr(options, name) for name in _SAME_NAME},
    }
    if span is not None:
        given |= {"span_start": span[0], "span_end": span[1]}
    return {name: value for name, value in given.items() if value is not None}


def _default_target() -> str:
    """The active object when it is a face; else the only face; else the active object, to say what is wrong with it."""
    scene, active = bpy.context.scene, bpy.context.view_layer.objects.active
    if active is not None and targets.has_shape_keys(active):
        return str(active.name)
    faces = rig_resolution.faces(scene, backend_session.assets_folder())
    chosen = faces[0] if len(faces) == 1 else active
    return str(chosen.name) if chosen else ""


def _run(job: Job) -> None:
    try:
        while not job.step(_STEP):
            pass
    finally:
        job.close()
    assert job.report
    for warning in job.report.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(job.report.summary)

"""`blender -b face.blend --command unitalker animate --audio voice.wav --object Head --output out.blend`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import bpy

from .. import animate_settings, backend_session
from ..animate_options import AnimateOptions
from ..properties import DEVICES, ENGINES
from ..scene import rig_resolution
from ..scene import target as targets
from ..scene.scene_export import check_output, export_scene, sound_note
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
    add("--audio", required=True, help="sound file: wav, flac, ogg or mp3")
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


def _names(items: tuple[tuple[str, str, str], ...]) -> list[str]:
    return [name for name, *_ in items]


def run(options: argparse.Namespace) -> None:
    """Animate, save, and say so; UniTalkerError when it cannot be done."""
    output = Path(options.output).absolute()
    check_output(bpy.context.scene, output)
    order = speak(options)
    export_scene(bpy.context.scene, output)
    print(f"saved {output}")
    if note := sound_note(bpy.context.scene, output, order.audio.name, order.frame_start):
        print(note)


def speak(options: argparse.Namespace) -> AnimateOptions:
    """Animate the open file and write nothing; returns what was done. UniTalkerError when it cannot be."""
    order = animate_settings.options(bpy.context, _given(options))
    _animate(order)
    return order


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `unitalker.animate`; what is None is left to the file."""
    span = options.span
    given = {
        "object": options.object or _default_target(),
        "filepath": str(Path(options.audio).absolute()),
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


def _animate(options: AnimateOptions) -> None:
    from ..animation_job import AnimationJob  # brings numpy, which registration has no time for

    job = AnimationJob(bpy.context.scene, options, backend_session.get())
    try:
        while not job.step(_STEP):
            pass
    finally:
        job.close()
    assert job.report
    for warning in job.report.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(job.report.summary)

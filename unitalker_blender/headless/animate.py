"""`blender -b face.blend --command unitalker animate --audio voice.wav --object Head --output out.blend`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import bpy

from .. import backend_session, preference_values
from ..animate_options import AnimateOptions
from ..properties import DEVICES
from ..scene import target as targets
from ..scene.scene_export import check_output, export_scene, sound_note
from .export import OUTPUT_HELP

_STEP = 0.1  # seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `animate`."""
    add = parser.add_argument
    defaults = AnimateOptions(target="", audio=Path())
    add("--audio", required=True, help="sound file: wav, flac, ogg or mp3")
    add("--output", required=True, help=OUTPUT_HELP)
    add("--object", default="", help="mesh with the face (default: the active one, else the only one with ARKit keys)")
    add("--model", default="", help="model folder by name (default: the first)")
    add("--head", default="", help="output of the model (default: the model's)")
    add("--identity", default="", help="whose way of speaking (default: the model's)")
    add("--intensity", type=float, default=defaults.intensity, help="all motion is multiplied by this")
    add("--smoothing", type=float, default=defaults.smoothing, help="seconds over which motion is smoothed")
    add("--frame-start", type=int, default=defaults.frame_start, help="frame at which the sound starts")
    add("--no-sound", action="store_true", help="do not put the sound into the sequencer")
    add("--keep-range", action="store_true", help="do not extend the scene's frame range")
    add("--device", choices=[name for name, *_ in DEVICES], help="where to compute (default: as in the preferences)")


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
    order = _animate_options(options)
    _animate(order)
    return order


def _animate_options(options: argparse.Namespace) -> AnimateOptions:
    return AnimateOptions(
        target=options.object or _default_target(),
        audio=Path(options.audio).absolute(),
        model=options.model,
        head=options.head,
        identity=options.identity,
        intensity=options.intensity,
        smoothing=options.smoothing,
        frame_start=options.frame_start,
        add_sound=not options.no_sound,
        extend_range=not options.keep_range,
        device=options.device or preference_values.device(),
    )


def _default_target() -> str:
    """The active object when it is a face; else the only face; else the active object, to say what is wrong with it."""
    scene, active = bpy.context.scene, bpy.context.view_layer.objects.active
    if active is not None and targets.has_shape_keys(active):
        return str(active.name)
    face = targets.only_face(scene, targets.arkit_spellings(backend_session.assets_folder()))
    chosen = face or active
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

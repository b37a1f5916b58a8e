"""`blender -b face.blend --command unitalker export --output face.glb`: the open file in another format."""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy

from ..scene.scene_export import WRITERS, export_scene

OUTPUT_HELP = f"the file to write; its name ends in {', '.join(WRITERS)}, which says how"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `export`."""
    parser.add_argument("--output", required=True, help=OUTPUT_HELP)


def run(options: argparse.Namespace) -> None:
    """Export, and say so; UniTalkerError when it cannot be done."""
    output = Path(options.output).absolute()
    export_scene(bpy.context.scene, output)
    print(f"saved {output}")

"""Run inside a bpy that knows of this project only the zip: install it, animate a head, print what happened as JSON.

usage: animate_installed_zip.py ZIP SOUND HEAD
"""

from __future__ import annotations

import json
import os
import sys
import time

STARTED = time.monotonic()

import bpy  # noqa: E402 - what is measured is the time from the start of Blender


def import_face(path: str) -> bpy.types.Object:
    """The mesh of a glTF file that has shape keys, active in the scene."""
    bpy.ops.import_scene.gltf(filepath=path)
    face = next(thing for thing in bpy.context.scene.objects if thing.type == "MESH" and thing.data.shape_keys)
    bpy.context.view_layer.objects.active = face
    return face


def main() -> None:
    archive, sound, head = sys.argv[1:]
    face = import_face(head)
    installing = time.monotonic()
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    installed = time.monotonic()
    result = bpy.ops.unitalker.animate(filepath=sound)
    animated = time.monotonic()
    frames = range(bpy.context.scene.frame_start, bpy.context.scene.frame_end + 1)
    jaw = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        jaw.append(face.data.shape_keys.key_blocks["jawOpen"].value)
    package = "bl_ext.user_default.unitalker"
    backend = sys.modules[f"{package}.backend_session"]
    report = {
        "result": list(result),
        "jaw_range": max(jaw) - min(jaw),
        "package": sys.modules[package].__file__,
        "python": str(backend.command().python),
        "own_python": sys.executable,
        "engines": backend.current_hello().engines,
        "status": backend.status(),
        "seconds": {
            "install": installed - installing,
            "animate": animated - installed,
            "from the start of Blender": animated - STARTED,
        },
    }
    print("RESULT " + json.dumps(report))


if __name__ == "__main__":
    try:
        main()
        status = 0
    except BaseException as error:  # reported to the parent test, which decides
        print(f"FAILED {error!r}")
        status = 1
    sys.stdout.flush()
    # Some bpy versions crash in interpreter exit, after all is done.
    os._exit(status)

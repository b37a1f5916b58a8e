"""Run inside a bpy that knows of this project only the zip: install it, animate a mesh, print what happened as JSON.

usage: animate_installed_zip.py ZIP SOUND
"""

from __future__ import annotations

import json
import os
import sys

import bpy


def face_mesh() -> bpy.types.Object:
    """A cube with three ARKit shape keys, active in the scene."""
    bpy.ops.mesh.primitive_cube_add()
    face = bpy.context.object
    face.shape_key_add(name="Basis")
    for name in ("jawOpen", "mouthClose", "mouthPucker"):
        face.shape_key_add(name=name, from_mix=False).data[0].co.z += 1.0
    return face


def main() -> None:
    archive, sound = sys.argv[1:]
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    face = face_mesh()
    result = bpy.ops.unitalker.animate(filepath=sound)
    frames = range(bpy.context.scene.frame_start, bpy.context.scene.frame_end + 1)
    jaw = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        jaw.append(face.data.shape_keys.key_blocks["jawOpen"].value)
    package = sys.modules["bl_ext.user_default.unitalker"].__file__
    print("RESULT " + json.dumps({"result": list(result), "jaw_range": max(jaw) - min(jaw), "package": package}))


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

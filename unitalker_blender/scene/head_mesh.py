"""A new mesh in a head's own topology."""

from __future__ import annotations

import bpy
import numpy as np

from .vertex_fit import Z_UP

NAME = "UniTalker Face"


def add_head_mesh(scene: bpy.types.Scene, rest: np.ndarray, triangles: np.ndarray) -> bpy.types.Object:
    """The head at rest as an object at the 3D cursor; points alone where the triangles are not known.

    Args:
        scene: to whose collection it is linked.
        rest: (V, 3), metres, in the head's axes.
        triangles: (T, 3).
    """
    mesh = bpy.data.meshes.new(NAME)
    try:
        mesh.from_pydata((rest @ Z_UP.T).tolist(), [], triangles.tolist())
        mesh.shade_smooth()
        made = bpy.data.objects.new(NAME, mesh)
        made.location = scene.cursor.location
        scene.collection.objects.link(made)
    except BaseException:
        bpy.data.meshes.remove(mesh)
        raise
    return made


def remove_head_mesh(made: bpy.types.Object) -> None:
    """Take it back."""
    bpy.data.meshes.remove(made.data)  # and with it the object

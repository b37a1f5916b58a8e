"""Preferences of the add-on: which Python runs the backend, on what device, and the models that it has."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from . import __package__ as base_package
from . import compat, properties
from .client.environment import PYTHON_VARIABLE
from .panels.backend_setup import draw_backend, draw_installation
from .panels.model_store import draw_models


class UniTalkerPreferences(bpy.types.AddonPreferences):
    """Edit > Preferences > Add-ons > UniTalker."""

    bl_idname = base_package

    python: StringProperty(
        name="Python",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
        description=f"Python that runs the backend; empty: {PYTHON_VARIABLE}, or what Install Backend has made",
    )
    device: properties.device_property("Where the model is computed")
    wheels: StringProperty(
        name="Wheels",
        subtype="DIR_PATH",
        options=compat.RELATIVE_PATH,
        description="Folder of wheels to install the backend from, instead of the network",
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        draw_backend(layout.box(), context, self)
        draw_installation(layout.box(), context, self)
        draw_models(layout.box(), context)

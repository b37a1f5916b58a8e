"""Preferences of the add-on: which Python runs the backend, and on what device."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from . import __package__ as base_package
from . import backend_session, compat, properties
from .client.environment import PYTHON_VARIABLE


class UniTalkerPreferences(bpy.types.AddonPreferences):
    """Edit > Preferences > Add-ons > UniTalker."""

    bl_idname = base_package

    python: StringProperty(
        name="Python",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
        description=f"Python that runs the backend and has torch; empty: {PYTHON_VARIABLE} or a development checkout",
    )
    device: properties.device_property("Where the model is computed")

    def draw(self, _context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "python", placeholder="found by itself in a development checkout")
        layout.prop(self, "device")
        row = layout.row()
        row.label(text=backend_session.status())
        row.operator("unitalker.check_backend")

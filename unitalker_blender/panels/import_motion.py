"""Motion out of a file."""

from __future__ import annotations

import bpy

from ..operators.import_motion import import_problem
from .sidebar import SubPanel, for_settings
from .text import draw_text


class UNITALKER_PT_import_motion(SubPanel, bpy.types.Panel):  # noqa: N801
    """The file, its sound, and the button."""

    bl_label = "Import"
    bl_idname = "UNITALKER_PT_import_motion"

    def draw(self, context: bpy.types.Context) -> None:
        layout = for_settings(self.layout)
        settings = context.scene.unitalker_interchange
        layout.prop(settings, "motion")
        layout.prop(settings, "motion_sound", placeholder="none")
        if settings.motion.lower().endswith(".npz"):
            layout.prop(settings, "entry", placeholder="the only one")
        row = layout.row()
        row.operator_context = "INVOKE_DEFAULT"
        row.operator("unitalker.import_motion", icon="IMPORT")
        if settings.motion and (problem := import_problem(context)):
            draw_text(layout, problem, context)

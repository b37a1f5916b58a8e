"""Motion out of a file."""

from __future__ import annotations

from typing import ClassVar

import bpy

from ..operators import stepping
from ..operators.import_motion import import_problem
from .speech import SidebarPanel
from .text import draw_text


class UNITALKER_PT_import_motion(SidebarPanel, bpy.types.Panel):  # noqa: N801
    """The file, its sound, and the button."""

    bl_label = "Import"
    bl_idname = "UNITALKER_PT_import_motion"
    bl_parent_id = "UNITALKER_PT_speech"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = stepping.running() is None
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

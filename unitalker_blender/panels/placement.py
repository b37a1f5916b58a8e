"""Where keys go, and how many."""

from __future__ import annotations

from typing import ClassVar

import bpy

from ..operators import stepping
from .speech import SidebarPanel


class UNITALKER_PT_placement(SidebarPanel, bpy.types.Panel):  # noqa: N801
    """Action or NLA track, density, range."""

    bl_label = "Keys"
    bl_idname = "UNITALKER_PT_placement"
    bl_parent_id = "UNITALKER_PT_speech"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = stepping.running() is None
        settings = context.scene.unitalker
        layout.prop(settings, "where")
        if settings.where == "NAMED_ACTION":
            layout.prop(settings, "action")
        layout.prop(settings, "again")
        layout.prop(settings, "density")
        if settings.density == "NTH":
            layout.prop(settings, "key_step")
        if settings.density == "DECIMATED":
            layout.prop(settings, "key_error")
        layout.prop(settings, "interpolation")
        layout.prop(settings, "use_span")
        column = layout.column(align=True)
        column.active = settings.use_span
        for name in ("span_start", "span_end", "blend"):
            column.prop(settings, name)

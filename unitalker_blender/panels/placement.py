"""Where keys go, and how many."""

from __future__ import annotations

import bpy

from .sidebar import SubPanel, for_settings


class UNITALKER_PT_placement(SubPanel, bpy.types.Panel):  # noqa: N801
    """Action or NLA track, density, range."""

    bl_label = "Keys"
    bl_idname = "UNITALKER_PT_placement"

    def draw(self, context: bpy.types.Context) -> None:
        layout = for_settings(self.layout)
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

"""Heads of vertices: shape keys, point cache, new mesh."""

from __future__ import annotations

from typing import ClassVar

import bpy

from ..operators import stepping
from .speech import SidebarPanel


class UNITALKER_PT_vertex_head(SidebarPanel, bpy.types.Panel):  # noqa: N801
    """Which head, on which mesh, how exact."""

    bl_label = "Vertices"
    bl_idname = "UNITALKER_PT_vertex_head"
    bl_parent_id = "UNITALKER_PT_speech"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = stepping.running() is None
        settings = context.scene.unitalker_interchange
        layout.prop(settings, "vertex_head", placeholder="first of the model")
        layout.prop(settings, "new_mesh")
        layout.prop(settings, "method")
        for name in ("tolerance_mm", "most_keys") if settings.method == "KEYS" else ("cache",):
            layout.prop(settings, name)
        row = layout.row()
        row.operator_context = "INVOKE_DEFAULT"
        row.operator("unitalker.animate_vertices", icon="MESH_DATA")

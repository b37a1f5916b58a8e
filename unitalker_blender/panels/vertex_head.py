"""Heads of vertices: shape keys, point cache, new mesh."""

from __future__ import annotations

import bpy

from .sidebar import SubPanel, for_settings


class UNITALKER_PT_vertex_head(SubPanel, bpy.types.Panel):  # noqa: N801
    """Which head, on which mesh, how exact."""

    bl_label = "Vertices"
    bl_idname = "UNITALKER_PT_vertex_head"

    def draw(self, context: bpy.types.Context) -> None:
        layout = for_settings(self.layout)
        settings = context.scene.unitalker_interchange
        layout.prop(settings, "vertex_head", placeholder="first of the model")
        layout.prop(settings, "new_mesh")
        layout.prop(settings, "method")
        for name in ("tolerance_mm", "most_keys") if settings.method == "KEYS" else ("cache",):
            layout.prop(settings, name)
        row = layout.row()
        row.operator_context = "INVOKE_DEFAULT"
        row.operator("unitalker.animate_vertices", icon="MESH_DATA")

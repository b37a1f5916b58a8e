"""The list of takes."""

from __future__ import annotations

from typing import Any

import bpy

from ..operators import stepping
from .sidebar import SidebarPanel


class UNITALKER_UL_takes(bpy.types.UIList):  # noqa: N801
    """Takes by name; a double click renames one."""

    bl_idname = "UNITALKER_UL_takes"

    def draw_item(
        self,
        _context: bpy.types.Context,
        layout: bpy.types.UILayout,
        _data: Any,
        item: Any,
        _icon: int,
        _active_data: Any,
        _active_property: str,
    ) -> None:
        layout.prop(item, "name", text="", emboss=False, icon="ACTION")
        layout.label(text=item.preset.capitalize())


class UNITALKER_PT_takes(SidebarPanel, bpy.types.Panel):  # noqa: N801
    """Switch, duplicate, delete."""

    bl_label = "Takes"
    bl_idname = "UNITALKER_PT_takes"
    bl_parent_id = "UNITALKER_PT_speech"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        target = context.scene.unitalker.target_object(context)
        return target is not None and len(target.unitalker.takes) > 0

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.enabled = stepping.running() is None
        face = context.scene.unitalker.target_object(context).unitalker
        row = layout.row()
        row.template_list("UNITALKER_UL_takes", "", face, "takes", face, "active", rows=3)
        column = row.column(align=True)
        column.operator("unitalker.duplicate_take", text="", icon="DUPLICATE")
        column.operator("unitalker.delete_take", text="", icon="REMOVE")
        row = layout.row()
        row.operator_context = "INVOKE_DEFAULT"
        row.operator("unitalker.regenerate", icon="FILE_REFRESH")

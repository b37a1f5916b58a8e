"""Several characters and sounds."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import bpy

from ..operators import stepping
from .sidebar import SubPanel
from .text import draw_text

_ICONS = {"WAITING": "SORTTIME", "DONE": "CHECKMARK", "FAILED": "ERROR"}


class UNITALKER_UL_queue(bpy.types.UIList):  # noqa: N801
    """Who says what, and whether it is done."""

    bl_idname = "UNITALKER_UL_queue"

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
        who = item.target.name if item.target is not None else "(deleted)"
        layout.label(text=f"{who}: {PurePath(item.filepath).name}", icon=_ICONS[item.state], translate=False)


class UNITALKER_PT_queue(SubPanel, bpy.types.Panel):  # noqa: N801
    """What waits, and the button that animates it."""

    bl_label = "Queue"
    bl_idname = "UNITALKER_PT_queue"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.enabled = stepping.running() is None
        settings = context.scene.unitalker
        row = layout.row()
        row.template_list("UNITALKER_UL_queue", "", settings, "queue", settings, "queue_active", rows=3)
        column = row.column(align=True)
        column.operator("unitalker.queue_add", text="", icon="ADD")
        column.operator("unitalker.queue_remove", text="", icon="REMOVE")
        if 0 <= settings.queue_active < len(settings.queue) and settings.queue[settings.queue_active].message:
            draw_text(layout, settings.queue[settings.queue_active].message, context)
        row = layout.row()
        row.operator_context = "INVOKE_DEFAULT"
        row.operator("unitalker.queue_run", icon="PLAY")

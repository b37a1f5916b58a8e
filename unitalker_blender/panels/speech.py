"""The tab UniTalker in the sidebar of the 3D viewport."""

from __future__ import annotations

import bpy

from .. import backend_session
from ..client.errors import UniTalkerError
from ..operators.animate import panel_problem
from ..operators.stepping import last_error, running
from ..scene import target as targets
from .text import draw_text


class UNITALKER_PT_speech(bpy.types.Panel):  # noqa: N801
    """Target, sound, settings, and the button."""

    bl_label = "UniTalker"
    bl_idname = "UNITALKER_PT_speech"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "UniTalker"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.scene.unitalker
        column = layout.column()
        column.enabled = running() is None
        _draw_target(column, context)
        column.prop(settings, "filepath")
        for name in ("model", "head", "identity"):
            column.prop(settings, name, placeholder="default")
        for name in ("intensity", "smoothing", "frame_start", "add_sound", "extend_range"):
            column.prop(settings, name)
        _draw_action(layout, context)
        _draw_backend(layout)


def _draw_target(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    settings = context.scene.unitalker
    name = settings.target_name(context)
    layout.prop(settings, "target", placeholder=f"Active: {name}" if name else "Active object")
    target = context.scene.objects.get(name)
    if target is not None and targets.has_shape_keys(target):
        try:
            spellings = targets.arkit_spellings(backend_session.assets_folder())
        except UniTalkerError:
            return  # the status line says that the backend is missing
        count = targets.recognised(target, spellings)
        layout.label(text=f"{target.name}: {count} of {len(spellings.channels)} ARKit shapes", icon="SHAPEKEY_DATA")


def _draw_action(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    job = running()
    if job is not None:
        row = layout.row(align=True)
        row.progress(factor=job.fraction, text=job.text)
        row.operator("unitalker.cancel", text="", icon="CANCEL")
        return
    row = layout.row()
    row.scale_y = 1.4
    row.operator_context = "INVOKE_DEFAULT"  # polled as a button of this sidebar, not of the viewport beside it
    row.operator("unitalker.animate", icon="PLAY")
    for text in (panel_problem(context), last_error()):
        if text:
            draw_text(layout, text, context)


def _draw_backend(layout: bpy.types.UILayout) -> None:
    row = layout.row(align=True)
    row.label(text=backend_session.status())
    row.operator("unitalker.check_backend", text="", icon="FILE_REFRESH")

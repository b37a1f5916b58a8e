"""The tab UniTalker in the sidebar of the 3D viewport: one screen for the common case."""

from __future__ import annotations

import bpy

from .. import animate_settings, backend_session, live_direction, presets, takes
from ..client.errors import UniTalkerError
from ..operators import stepping
from ..operators.animate import panel_problem
from ..scene import rig_resolution
from ..scene import target as targets
from ..translations import translate
from .quality import draw_take
from .sidebar import SidebarPanel, SubPanel, for_settings
from .text import draw_text


class UNITALKER_MT_presets(bpy.types.Menu):  # noqa: N801
    """The presets of the direction."""

    bl_idname = "UNITALKER_MT_presets"
    bl_label = "Preset"
    bl_description = "Set the sliders of the face to those of a preset"

    def draw(self, _context: bpy.types.Context) -> None:
        for preset in presets.load_presets(backend_session.assets_folder()):
            self.layout.operator("unitalker.preset", text=preset.title).name = preset.name


class UNITALKER_PT_speech(SidebarPanel, bpy.types.Panel):  # noqa: N801
    """Target, sound, preset, and the button."""

    bl_label = "UniTalker"
    bl_idname = "UNITALKER_PT_speech"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.scene.unitalker
        column = layout.column()
        column.enabled = stepping.running() is None
        _draw_target(column, context)
        row = column.row(align=True)
        row.prop(settings, "filepath")
        row.menu("UNITALKER_MT_sounds", text="", icon="SEQ_SEQUENCER")
        _draw_preset(column, context)
        column.prop(settings, "frame_start")
        _draw_action(layout, context)
        _draw_messages(layout, context)
        if (take := takes.active(settings.target_object(context))) is not None:
            draw_take(layout, take, context)
        _draw_backend(layout)


class UNITALKER_PT_model(SubPanel, bpy.types.Panel):  # noqa: N801
    """Which model speaks, and what else is done."""

    bl_label = "Voice and Scene"
    bl_idname = "UNITALKER_PT_model"

    def draw(self, context: bpy.types.Context) -> None:
        layout = for_settings(self.layout)
        settings = context.scene.unitalker
        for name in ("model", "head", "identity"):
            layout.prop(settings, name, placeholder="default")
        layout.prop(settings, "identity_b", placeholder="none")
        for name in ("add_sound", "extend_range"):
            layout.prop(settings, name)


def _draw_target(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    settings = context.scene.unitalker
    name = settings.target_name(context)
    layout.prop(settings, "target", placeholder=translate(f"Active: {name}") if name else "Active object")
    target = context.scene.objects.get(name)
    if target is not None and targets.has_shape_keys(target):
        try:
            detection = rig_resolution.detected(target, backend_session.assets_folder())
        except UniTalkerError:
            return  # said below the button
        if detection is not None:
            layout.label(text=f"{target.name}: {translate(detection.text())}", icon="SHAPEKEY_DATA", translate=False)


def _draw_preset(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    target = context.scene.unitalker.target_object(context)
    split = layout.split(factor=0.4)
    label = split.row()
    label.alignment = "RIGHT"
    label.label(text="Preset")
    name, _ = animate_settings.direction_of_panel(target) if target is not None else (presets.DEFAULT, None)
    split.menu("UNITALKER_MT_presets", text=name.capitalize() or "Own")


def _draw_action(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    job = stepping.running()
    if job is not None:
        row = layout.row(align=True)
        row.progress(factor=job.fraction, text=stepping.progress_text())
        row.operator("unitalker.cancel", text="", icon="CANCEL")
        return
    row = layout.row()
    row.scale_y = 1.4
    row.operator_context = "INVOKE_DEFAULT"  # polled as a button of this sidebar, not of the viewport beside it
    row.operator("unitalker.animate", icon="PLAY")
    if problem := panel_problem(context):
        draw_text(layout, problem, context)


def _draw_messages(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What went wrong, until it is dismissed."""
    target = context.scene.unitalker.target_object(context)
    told = list(stepping.messages())
    if target is not None and (text := live_direction.problem(target)):
        told.append(stepping.Message("WARNING", text))
    if not told:
        return
    box = layout.box()
    row = box.row()
    row.label(text="Problem" if told[0].level == "ERROR" else "Note", icon="ERROR")
    row.operator("unitalker.dismiss", text="", icon="X", emboss=False)
    for message in told:
        text = translate(message.text)
        draw_text(box, text[:1].upper() + text[1:], context)


def _draw_backend(layout: bpy.types.UILayout) -> None:
    row = layout.row(align=True)
    row.label(text=translate(backend_session.status()), translate=False)
    row.operator("unitalker.check_backend", text="", icon="FILE_REFRESH")

"""The sliders that direct a face."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import bpy

from .. import animate_settings, takes
from ..operators import stepping
from ..operators.presets import direction_problem
from ..settings.direction import EMOTIONS
from ..translations import CONTEXT
from .sidebar import SidebarPanel, SubPanel
from .text import draw_text


class DirectionPanel(SidebarPanel):
    """Base of the panels with sliders: closed at first, grey while a job runs."""

    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}
    group = ""
    names: tuple[str, ...] = ()

    if TYPE_CHECKING:
        layout: bpy.types.UILayout  # of bpy.types.Panel, the other base of every panel

    def draw(self, context: bpy.types.Context) -> None:
        group = direction_of(context)
        draw_sliders(self.layout, getattr(group, self.group) if self.group else group, self.names, context)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.scene.unitalker.target_object(context) is not None


class LayerPanel(DirectionPanel):
    """Base of the panels of layers, which have their switch in the header."""

    bl_parent_id = "UNITALKER_PT_layers"

    def draw_header(self, context: bpy.types.Context) -> None:
        self.layout.enabled = can_direct(context)
        self.layout.prop(getattr(direction_of(context), self.group), "on", text="")


def direction_of(context: bpy.types.Context) -> bpy.types.PropertyGroup:
    """The sliders of the panel's target."""
    return context.scene.unitalker.target_object(context).unitalker.direction


def draw_sliders(
    layout: bpy.types.UILayout, group: bpy.types.PropertyGroup, names: tuple[str, ...], context: bpy.types.Context
) -> None:
    """The sliders `names`, grey when they mean nothing now."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    layout.enabled = can_direct(context)
    layout.active = getattr(group, "on", True)
    for name in names:
        layout.prop(group, name)


def can_direct(context: bpy.types.Context) -> bool:
    """Whether moving a slider means something: while nobody has directed the face, the default preset does."""
    if stepping.running() is not None or direction_problem(context):
        return False
    _, sliders = animate_settings.direction_of_panel(context.scene.unitalker.target_object(context))
    return sliders is not None


class UNITALKER_PT_performance(DirectionPanel, bpy.types.Panel):  # noqa: N801
    """What is done to the network's motion."""

    bl_label = "Performance"
    bl_idname = "UNITALKER_PT_performance"
    bl_translation_context = CONTEXT  # elsewhere in Blender the word means speed of computing
    bl_parent_id = "UNITALKER_PT_speech"
    names = (
        "intensity",
        "articulation",
        "closure",
        "smoothing",
        "upper_face",
        "rest",
        "mouth_open",
        "silence_gate",
        "asymmetry",
        "time_offset",
        "style_blend",
        "poses_per_second",
    )

    def draw(self, context: bpy.types.Context) -> None:
        if not can_direct(context) and stepping.running() is None:
            text = (
                direction_problem(context) or "Press Animate, or choose a preset: then these sliders direct the face."
            )
            draw_text(self.layout, text, context)
        target = context.scene.unitalker.target_object(context)
        if takes.active(target) is not None:
            row = self.layout.row(align=True)
            row.prop(target.unitalker.direction, "live", toggle=True)
            row.operator_context = "INVOKE_DEFAULT"
            row.operator("unitalker.update")
        draw_sliders(self.layout.column(), target.unitalker.direction, self.names, context)


class UNITALKER_PT_regions(DirectionPanel, bpy.types.Panel):  # noqa: N801
    """Parts of the face."""

    bl_label = "Regions"
    bl_idname = "UNITALKER_PT_regions"
    bl_parent_id = "UNITALKER_PT_performance"
    group = "regions"
    names = ("jaw", "lips", "cheeks", "brows", "eyes")


class UNITALKER_PT_layers(SubPanel, bpy.types.Panel):  # noqa: N801
    """What is added to the network's motion."""

    bl_label = "Layers"
    bl_idname = "UNITALKER_PT_layers"

    poll = DirectionPanel.poll

    def draw(self, context: bpy.types.Context) -> None:
        if not can_direct(context) and stepping.running() is None:
            draw_text(self.layout, "Press Animate, or choose a preset.", context)


class UNITALKER_PT_blinks(LayerPanel, bpy.types.Panel):  # noqa: N801
    """Blinks."""

    bl_label = "Blinks"
    bl_idname = "UNITALKER_PT_blinks"
    group = "blinks"
    names = ("strength", "rate", "phrase_ends", "seed")


class UNITALKER_PT_gaze(LayerPanel, bpy.types.Panel):  # noqa: N801
    """Gaze."""

    bl_label = "Gaze"
    bl_idname = "UNITALKER_PT_gaze"
    group = "gaze"
    names = ("strength", "rate", "yaw", "pitch", "seed")


class UNITALKER_PT_head(LayerPanel, bpy.types.Panel):  # noqa: N801
    """Head movement."""

    bl_label = "Head"
    bl_idname = "UNITALKER_PT_head"
    group = "head"
    names = ("strength", "nods", "brows", "seed")


class UNITALKER_PT_breathing(LayerPanel, bpy.types.Panel):  # noqa: N801
    """Breath."""

    bl_label = "Breathing"
    bl_idname = "UNITALKER_PT_breathing"
    group = "breathing"
    names = ("strength", "rate", "seed")


class UNITALKER_PT_emotions(LayerPanel, bpy.types.Panel):  # noqa: N801
    """Emotions, whose weights can be keyed."""

    bl_label = "Emotion"
    bl_idname = "UNITALKER_PT_emotions"
    group = "emotions"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.enabled = can_direct(context)
        emotions = direction_of(context).emotions
        layout.active = emotions.on
        for name in EMOTIONS:
            pose = getattr(emotions, name)
            layout.prop(pose, "weight", text=name.capitalize())
            if pose.weight > 0:
                column = layout.column(align=True)
                column.use_property_decorate = False
                for part in ("mouth", "eyes", "brows"):
                    column.prop(pose, part)

"""Duplicate and delete takes, and let the shape keys have the range that a take needs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

import bpy

from .. import live_direction, take_actions, takes
from ..translations import translate
from .stepping import running


class _ActiveTake:
    """Base of what acts on the active take of the panel's target."""

    if TYPE_CHECKING:

        @classmethod
        def poll_message_set(cls, message: str) -> None:
            """Of bpy.types.Operator, the other base of every operator."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        target = context.scene.unitalker.target_object(context)
        problem = ""
        if running() is not None:
            problem = "UniTalker is at work"
        elif takes.active(target) is None:
            problem = "There is no take"
        elif not target.is_editable:
            problem = f"'{target.name}' is linked from another file"
        if problem:
            cls.poll_message_set(translate(problem))
        return not problem


class UNITALKER_OT_duplicate_take(_ActiveTake, bpy.types.Operator):  # noqa: N801
    """Make a copy of the active take, with copies of its Actions."""

    bl_idname = "unitalker.duplicate_take"
    bl_label = "Duplicate Take"
    bl_description = "Make a copy of the take with an Action of its own, and go on with that"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        target = context.scene.unitalker.target_object(context)
        takes.duplicate(target, target.unitalker.active)
        return {"FINISHED"}


class UNITALKER_OT_delete_take(_ActiveTake, bpy.types.Operator):  # noqa: N801
    """Delete the active take and the Actions that were made for it."""

    bl_idname = "unitalker.delete_take"
    bl_label = "Delete Take"
    bl_description = "Delete the take and the Action that was made for it; Actions that you made stay"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        target = context.scene.unitalker.target_object(context)
        left = takes.delete(target, target.unitalker.active)
        if left:
            self.report({"INFO"}, left)
        return {"FINISHED"}


class UNITALKER_OT_widen_ranges(_ActiveTake, bpy.types.Operator):  # noqa: N801
    """Let the shape keys that the take cuts go as far as it wants them to."""

    bl_idname = "unitalker.widen_ranges"
    bl_label = "Widen Ranges"
    bl_description = "Raise the sliders' ranges of the shape keys that are cut, and write the take again"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        target = context.scene.unitalker.target_object(context)
        take = takes.active(target)
        assert take is not None
        for name, (low, high) in json.loads(take.beyond).items():
            for key in take_actions.moved_shape_keys(target, take):
                if (block := key.key_blocks.get(name)) is not None:
                    block.slider_min = min(block.slider_min, low)
                    block.slider_max = max(block.slider_max, high)
        take.beyond = "{}"
        live_direction.touched(target)
        return {"FINISHED"}

"""Choose a preset for the face."""

from __future__ import annotations

from typing import ClassVar

import bpy
from bpy.props import StringProperty

from .. import backend_session, live_direction, presets
from ..client.errors import UniTalkerError
from ..settings import direction as directions
from ..translations import translate


def direction_problem(context: bpy.types.Context) -> str:
    """Why the sliders of the target cannot be set, empty when they can."""
    target = context.scene.unitalker.target_object(context)
    if target is None:
        return "No object is selected."
    return "" if target.is_editable else f"'{target.name}' is linked from another file."


class UNITALKER_OT_preset(bpy.types.Operator):  # noqa: N801
    """Set the sliders of the target to those of a preset."""

    bl_idname = "unitalker.preset"
    bl_label = "Preset"
    bl_description = "Set the sliders to those of a preset"
    bl_options: ClassVar[set[str]] = {"UNDO", "INTERNAL"}

    name: StringProperty(name="Preset")

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return presets.find_preset(backend_session.assets_folder(), properties.name).description

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        problem = direction_problem(context)
        if problem:
            cls.poll_message_set(translate(problem))
        return not problem

    def execute(self, context: bpy.types.Context) -> set[str]:
        target = context.scene.unitalker.target_object(context)
        try:
            preset = presets.find_preset(backend_session.assets_folder(), self.name)
        except UniTalkerError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        directions.load(target.unitalker.direction, preset.direction)
        target.unitalker.direction.preset = preset.name
        live_direction.touched(target)
        return {"FINISHED"}

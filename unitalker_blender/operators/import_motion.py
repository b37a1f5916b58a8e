"""Put the motion of a file onto the shape keys of a mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import bpy
from bpy.props import StringProperty

from .. import animate_settings, backend_session
from ..client.errors import UniTalkerError
from ..scene import target as targets
from ..settings.interchange import MotionFileSettings
from ..settings.placement import PlacementSettings
from ..settings.speech import SpeechSettings
from .panel_operator import PanelOperator

if TYPE_CHECKING:
    from ..animation_job import AnimationJob


def import_problem(context: bpy.types.Context) -> str:
    """Why the button cannot be pressed, empty when it can."""
    try:
        target = targets.find_object(context.scene, context.scene.unitalker.target_name(context))
        targets.check_target(target, context.scene)
    except UniTalkerError as error:
        return f"{error.message} {error.hint}"
    return "" if context.scene.unitalker_interchange.motion else "Choose a motion file."


class UNITALKER_OT_import_motion(  # noqa: N801
    PanelOperator, SpeechSettings, PlacementSettings, MotionFileSettings, bpy.types.Operator
):
    """Take the motion of a Live Link Face .csv, an .npz or a .json: named, mapped and directed like a spoken sound.

    Arguments that are not given are those of the panels. Without a preset, and while nobody has directed the face,
    the motion stays as it was recorded.
    """

    bl_idname = "unitalker.import_motion"
    bl_label = "Import Motion"
    bl_description = "Put the motion of a file onto the target: writes keys into a new Action; the one before is kept"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    object: StringProperty(name="Object", description="Mesh with the face; empty: the panel's target", options=set())
    preset: StringProperty(name="Preset", description="Preset to direct the motion by", options=set())
    direction: StringProperty(name="Direction", description="JSON as in a preset file", options=set())

    @classmethod
    def problem(cls, context: bpy.types.Context) -> str:
        return import_problem(context)

    def make_job(self, context: bpy.types.Context) -> AnimationJob:
        from ..animation_job import AnimationJob

        given = self.given()
        settings = context.scene.unitalker_interchange
        for name in MotionFileSettings.__annotations__:
            given.setdefault(name, getattr(settings, name))
        if not given["motion"]:
            raise UniTalkerError("motion.none", "No motion file is chosen.", "Choose a .csv, .npz or .json as Motion.")
        return AnimationJob(context.scene, animate_settings.options(context, given), backend_session.get())

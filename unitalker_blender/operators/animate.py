"""Make the chosen mesh speak a sound file."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import bpy
from bpy.props import FloatProperty, StringProperty

from .. import animate_settings, backend_session, properties
from ..client.errors import UniTalkerError
from ..scene import rig_resolution
from ..scene import target as targets
from ..settings.placement import PlacementSettings
from ..settings.speech import SpeechSettings
from .panel_operator import PanelOperator

if TYPE_CHECKING:
    from ..animation_job import AnimationJob


def panel_problem(context: bpy.types.Context) -> str:
    """Why the panel's Animate button cannot be pressed, empty when it can."""
    settings = context.scene.unitalker
    try:
        target = targets.find_object(context.scene, settings.target_name(context))
        targets.check_target(target, context.scene)
        if not settings.head:  # a chosen head may go by its own names
            rig_resolution.resolve(context.scene, target, backend_session.assets_folder())
    except UniTalkerError as error:
        return f"{error.message} {error.hint}"
    return "" if settings.filepath else "Choose a sound file."


class UNITALKER_OT_animate(PanelOperator, SpeechSettings, PlacementSettings, bpy.types.Operator):  # noqa: N801
    """Animate the shape keys of the target so that it speaks the sound file.

    In the background (scripts, `blender -b`) it runs to its end at once. Arguments that are not given are
    those of the panel. A failure is reported as an error, which scripts see as RuntimeError.
    """

    bl_idname = "unitalker.animate"
    bl_label = "Animate"
    bl_description = "Make the target speak: writes keys into a new Action; the one before is kept"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    object: StringProperty(name="Object", description="Mesh with the face; empty: the panel's target", options=set())
    strip: StringProperty(
        name="Strip", description="Sound strip of the sequencer that gives sound and start frame", options=set()
    )
    speaker: StringProperty(
        name="Speaker", description="Speaker object that gives sound and start frame", options=set()
    )
    preset: StringProperty(
        name="Preset", description="Preset to direct the face by; if not given, as its sliders say", options=set()
    )
    direction: StringProperty(
        name="Direction", description="JSON as in a preset file; overrides preset and sliders", options=set()
    )
    intensity: FloatProperty(
        name="Intensity", default=1.0, min=0.0, max=10.0, description="Overrides preset and sliders", options=set()
    )
    smoothing: FloatProperty(
        name="Smoothing", default=0.0, min=0.0, max=10.0, description="Overrides preset and sliders", options=set()
    )
    device: properties.device_property("Where the model is computed; if not given, as in the preferences")
    engine: properties.engine_property("What computes the model")

    @classmethod
    def problem(cls, context: bpy.types.Context) -> str:
        return panel_problem(context)

    def make_job(self, context: bpy.types.Context) -> AnimationJob:
        # Not imported at the top: numpy alone would take most of the time that registration may take.
        from ..animation_job import AnimationJob

        return AnimationJob(context.scene, animate_settings.options(context, self.given()), backend_session.get())

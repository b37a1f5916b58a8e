"""Make the chosen mesh speak a sound file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import bpy
from bpy.props import StringProperty

from .. import backend_session, preference_values, properties
from ..animate_options import AnimateOptions
from ..client.errors import UniTalkerError
from ..scene import target as targets
from .stepping import SteppingOperator, running

if TYPE_CHECKING:
    from ..animation_job import AnimationJob

_FROM_PANEL = ("model", "head", "identity", "intensity", "smoothing", "frame_start", "add_sound", "extend_range")


def panel_problem(context: bpy.types.Context) -> str:
    """Why the panel's Animate button cannot be pressed, empty when it can."""
    settings = context.scene.unitalker
    try:
        target = targets.find_object(context.scene, settings.target_name(context))
        targets.check_target(target, context.scene)
    except UniTalkerError as error:
        return f"{error.message} {error.hint}"
    return "" if settings.filepath else "Choose a sound file."


class UNITALKER_OT_animate(SteppingOperator, properties.SpeechSettings, bpy.types.Operator):  # noqa: N801
    """Animate the shape keys of the target so that it speaks the sound file.

    In the background (scripts, `blender -b`) it runs to its end at once. Arguments that are not given are
    those of the panel. A failure is reported as an error, which scripts see as RuntimeError.
    """

    bl_idname = "unitalker.animate"
    bl_label = "Animate"
    bl_description = "Make the target speak: writes keys into a new Action; the one before is kept"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    object: StringProperty(name="Object", description="Mesh with the face; empty: the panel's target", options=set())
    device: properties.device_property("Where the model is computed; if not given, as in the preferences")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if running() is not None:
            cls.poll_message_set("UniTalker is already at work; cancel that first")
            return False
        # Buttons take their arguments from the panel; a script may give its own, so it is judged by those.
        problem = panel_problem(context) if context.region is not None and context.region.type == "UI" else ""
        if problem:
            cls.poll_message_set(problem)
        return not problem

    def make_job(self, context: bpy.types.Context) -> AnimationJob:
        # Not imported at the top: numpy alone would take most of the time that registration may take.
        from ..animation_job import AnimationJob

        return AnimationJob(context.scene, self._options(context), backend_session.get())

    def _options(self, context: bpy.types.Context) -> AnimateOptions:
        settings = context.scene.unitalker
        values = {
            name: getattr(self if self.properties.is_property_set(name) else settings, name) for name in _FROM_PANEL
        }
        return AnimateOptions(
            target=self.object or settings.target_name(context),
            audio=_sound_path(self.filepath or settings.filepath),
            device=self.device if self.properties.is_property_set("device") else preference_values.device(),
            **values,
        )


def _sound_path(path: str) -> Path:
    if not path:
        raise UniTalkerError("audio.none", "No sound file is chosen.", "Choose a wav, flac, ogg or mp3 file as Sound.")
    return Path(bpy.path.abspath(path)).absolute()

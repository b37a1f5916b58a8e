"""Let the keys follow the sliders: what a window does by itself, for scripts, keyed emotions and edited curves."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, ClassVar

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

from .. import backend_session, live_direction, takes
from ..client.errors import UniTalkerError
from ..scene import frame_selection
from ..scene import target as targets
from ..translations import translate
from .stepping import SteppingOperator, running

if TYPE_CHECKING:
    from ..remap_job import RemapJob

_EDITED = (
    ("KEEP", "Keep", "Curves whose keys were edited by hand stay as they are"),
    ("OVERWRITE", "Overwrite", "Curves whose keys were edited by hand are written like the others"),
    ("NEW_TAKE", "New Take", "The take with the edited keys stays; a copy of it follows the sliders"),
)


def _target(context: bpy.types.Context, name: str) -> bpy.types.Object:
    return targets.find_object(context.scene, name or context.scene.unitalker.target_name(context))


def take_problem(context: bpy.types.Context) -> str:
    """Why the target's take cannot be directed, empty when it can."""
    if running() is not None:
        return "UniTalker is at work"
    target = context.scene.unitalker.target_object(context)
    return "" if takes.active(target) is not None else "Press Animate first: sliders direct what was animated"


class _TakeOperator(SteppingOperator):
    """Base of what directs the active take of an object."""

    object: StringProperty(name="Object", description="Object with the take; empty: the panel's target", options=set())

    if TYPE_CHECKING:

        @classmethod
        def poll_message_set(cls, message: str) -> None:
            """Of bpy.types.Operator, the other base of every operator."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        # A script may name another object than the panel's, so it is judged by that.
        from_panel = context.region is not None and context.region.type == "UI"
        problem = take_problem(context) if from_panel or running() is not None else ""
        if problem:
            cls.poll_message_set(translate(problem))
        return not problem


class UNITALKER_OT_update(_TakeOperator, bpy.types.Operator):  # noqa: N801
    """Direct the active take again, as the sliders say."""

    bl_idname = "unitalker.update"
    bl_label = "Update"
    bl_description = "Let the keys of the take follow the sliders, and emotions that are keyed"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    edited: EnumProperty(
        name="Edited Keys", items=_EDITED, description="What happens to keys that were edited by hand", options=set()
    )

    def make_job(self, context: bpy.types.Context) -> RemapJob:
        from ..remap_job import RemapJob

        target = _target(context, self.object)
        live_direction.tell(target.session_uid, "")
        return RemapJob(context.scene, target, backend_session.get(), self.edited)


class UNITALKER_OT_regenerate(_TakeOperator, bpy.types.Operator):  # noqa: N801
    """Perform a part of the take again, with other blinks, gaze, head movement and breath."""

    bl_idname = "unitalker.regenerate"
    bl_label = "Re-generate Selection"
    bl_description = (
        "Perform the selected frames again with another seed, blended at both ends. The selection is the preview "
        "range, else the selected markers, else the selected keys"
    )
    bl_options: ClassVar[set[str]] = {"UNDO"}

    frame_start: IntProperty(name="From", description="First frame; if not given, of the selection", options=set())
    frame_end: IntProperty(name="To", description="Last frame; if not given, of the selection", options=set())
    blend: IntProperty(
        name="Blend", default=5, min=0, max=10_000, description="Frames at both ends that are blended", options=set()
    )
    seed: IntProperty(name="Seed", min=0, description="0 for another one each time", options=set())

    def make_job(self, context: bpy.types.Context) -> RemapJob:
        from ..passages import Passage
        from ..remap_job import RemapJob

        target = _target(context, self.object)
        blend = self.blend if self.properties.is_property_set("blend") else context.scene.unitalker.blend
        first, last = self._frames(context, target)
        passage = Passage(first, last, blend, self.seed or 1 + secrets.randbelow(2**31 - 1))
        return RemapJob(context.scene, target, backend_session.get(), passage=passage)

    def _frames(self, context: bpy.types.Context, target: bpy.types.Object) -> tuple[int, int]:
        frames = frame_selection.selected_frames(context.scene, target)
        if all(self.properties.is_property_set(name) for name in ("frame_start", "frame_end")):
            frames = (self.frame_start, self.frame_end)
        if frames is None:
            raise UniTalkerError(
                "selection.none",
                "No frames are selected.",
                "Set the preview range (P in the timeline), or select two markers or keys of the face.",
            )
        take = takes.active(target)
        if take is not None and (frames[1] < take.span_start or frames[0] > take.span_end or frames[0] > frames[1]):
            raise UniTalkerError(
                "selection.outside",
                f"The frames {frames[0]} to {frames[1]} are not in the take, which has the frames {take.span_start} to "
                f"{take.span_end}.",
                "Select frames of the take.",
            )
        return frames

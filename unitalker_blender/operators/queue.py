"""The queue of characters and sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import bpy

from .. import animate_settings, backend_session
from ..client.errors import UniTalkerError
from ..translations import translate
from .animate import panel_problem
from .stepping import SteppingOperator, running

if TYPE_CHECKING:
    from ..animation_job import AnimationJob
    from ..queue_job import QueueJob


class UNITALKER_OT_queue_add(bpy.types.Operator):  # noqa: N801
    """Put the panel's target and sound into the queue."""

    bl_idname = "unitalker.queue_add"
    bl_label = "Add to Queue"
    bl_description = "Put the target with its sound into the queue"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        problem = "UniTalker is at work" if running() is not None else panel_problem(context)
        if problem:
            cls.poll_message_set(translate(problem))
        return not problem

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.unitalker
        item = settings.queue.add()
        item.target = settings.target_object(context)
        item.filepath, item.frame_start = settings.filepath, settings.frame_start
        settings.queue_active = len(settings.queue) - 1
        return {"FINISHED"}


class UNITALKER_OT_queue_remove(bpy.types.Operator):  # noqa: N801
    """Take what is selected out of the queue."""

    bl_idname = "unitalker.queue_remove"
    bl_label = "Remove from Queue"
    bl_description = "Take the selected entry out of the queue"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        settings = context.scene.unitalker
        problem = ""
        if running() is not None:
            problem = "UniTalker is at work"
        elif not 0 <= settings.queue_active < len(settings.queue):
            problem = "Nothing is selected"
        if problem:
            cls.poll_message_set(translate(problem))
        return not problem

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.unitalker
        settings.queue.remove(settings.queue_active)
        settings.queue_active = min(settings.queue_active, len(settings.queue) - 1)
        return {"FINISHED"}


class UNITALKER_OT_queue_run(SteppingOperator, bpy.types.Operator):  # noqa: N801
    """Animate everything that waits in the queue, each with the settings of the panel."""

    bl_idname = "unitalker.queue_run"
    bl_label = "Animate Queue"
    bl_description = "Animate everything that waits, one after the other; what fails does not stop the rest"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        problem = ""
        if running() is not None:
            problem = "UniTalker is already at work; cancel that first"
        elif not any(item.state == "WAITING" for item in context.scene.unitalker.queue):
            problem = "Nothing waits in the queue"
        if problem:
            cls.poll_message_set(translate(problem))
        return not problem

    def make_job(self, context: bpy.types.Context) -> QueueJob:
        from ..queue_job import QueueJob

        return QueueJob(context.scene, _make_item_job)


def _make_item_job(scene: bpy.types.Scene, item: bpy.types.PropertyGroup) -> AnimationJob:
    from ..animation_job import AnimationJob

    if item.target is None:
        raise UniTalkerError("target.gone", f"The object that was to say {item.filepath} is gone.", "")
    given = {"object": item.target.name, "filepath": item.filepath, "frame_start": item.frame_start}
    return AnimationJob(scene, animate_settings.options(bpy.context, given), backend_session.get())

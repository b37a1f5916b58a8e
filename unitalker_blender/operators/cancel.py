"""Stop what UniTalker is doing."""

from __future__ import annotations

from typing import ClassVar

import bpy

from .stepping import running


class UNITALKER_OT_cancel(bpy.types.Operator):  # noqa: N801
    """Stop; the scene stays as it was."""

    bl_idname = "unitalker.cancel"
    bl_label = "Cancel"
    bl_description = "Stop; the scene stays as it was"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if running() is None:
            cls.poll_message_set("UniTalker is not at work")
        return running() is not None

    def execute(self, _context: bpy.types.Context) -> set[str]:
        job = running()
        if job is not None:
            job.cancel()
        return {"FINISHED"}

"""Take away what the panel tells."""

from __future__ import annotations

from typing import ClassVar

import bpy

from .. import live_direction
from . import stepping


class UNITALKER_OT_dismiss(bpy.types.Operator):  # noqa: N801
    """Forget the errors and warnings that the panel shows."""

    bl_idname = "unitalker.dismiss"
    bl_label = "Dismiss"
    bl_description = "Take these messages away"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        stepping.dismiss()
        target = context.scene.unitalker.target_object(context)
        if target is not None:
            live_direction.tell(target.session_uid, "")
        return {"FINISHED"}

"""What Blender is told about, in order, and taken back in reverse."""

from __future__ import annotations

from typing import Any

import bpy

from . import backend_session, live_direction, preview, properties, translations
from .operators import dismiss, presets, queue, sound, stepping, takes, update
from .operators import mapping as mapping_operators
from .operators.animate import UNITALKER_OT_animate
from .operators.animate_vertices import UNITALKER_OT_animate_vertices
from .operators.backend_setup import (
    UNITALKER_OT_check_python,
    UNITALKER_OT_install_backend,
    UNITALKER_OT_remove_backend,
)
from .operators.cancel import UNITALKER_OT_cancel
from .operators.check_backend import UNITALKER_OT_check_backend
from .operators.import_motion import UNITALKER_OT_import_motion
from .operators.model_store import UNITALKER_OT_delete_model, UNITALKER_OT_import_model, UNITALKER_OT_model_card
from .panels import direction as direction_panels
from .panels import import_motion as import_panel
from .panels import mapping as mapping_panel
from .panels import placement as placement_panel
from .panels import queue as queue_panel
from .panels import speech as speech_panel
from .panels import takes as takes_panel
from .panels import vertex_head as vertex_panel
from .preferences import UniTalkerPreferences
from .settings import interchange as interchange_settings
from .settings import mapping as mapping_settings

CLASSES: tuple[type[bpy.types.bpy_struct], ...] = (
    UniTalkerPreferences,
    *properties.CLASSES,
    *mapping_settings.CLASSES,
    *interchange_settings.CLASSES,
    UNITALKER_OT_animate,
    UNITALKER_OT_animate_vertices,
    UNITALKER_OT_import_motion,
    UNITALKER_OT_cancel,
    UNITALKER_OT_check_backend,
    UNITALKER_OT_check_python,
    UNITALKER_OT_install_backend,
    UNITALKER_OT_remove_backend,
    UNITALKER_OT_import_model,
    UNITALKER_OT_delete_model,
    UNITALKER_OT_model_card,
    *mapping_operators.CLASSES,
    dismiss.UNITALKER_OT_dismiss,
    presets.UNITALKER_OT_preset,
    sound.UNITALKER_OT_take_sound,
    sound.UNITALKER_OT_drop_sound,
    sound.UNITALKER_MT_sounds,
    sound.UNITALKER_FH_sound,
    takes.UNITALKER_OT_duplicate_take,
    takes.UNITALKER_OT_delete_take,
    takes.UNITALKER_OT_widen_ranges,
    update.UNITALKER_OT_update,
    update.UNITALKER_OT_regenerate,
    queue.UNITALKER_OT_queue_add,
    queue.UNITALKER_OT_queue_remove,
    queue.UNITALKER_OT_queue_run,
    speech_panel.UNITALKER_MT_presets,
    # Below the first, in the order in which they are shown.
    speech_panel.UNITALKER_PT_speech,
    takes_panel.UNITALKER_UL_takes,
    takes_panel.UNITALKER_PT_takes,
    direction_panels.UNITALKER_PT_performance,
    direction_panels.UNITALKER_PT_regions,
    direction_panels.UNITALKER_PT_layers,
    direction_panels.UNITALKER_PT_blinks,
    direction_panels.UNITALKER_PT_gaze,
    direction_panels.UNITALKER_PT_head,
    direction_panels.UNITALKER_PT_breathing,
    direction_panels.UNITALKER_PT_emotions,
    speech_panel.UNITALKER_PT_model,
    *mapping_panel.CLASSES,
    placement_panel.UNITALKER_PT_placement,
    vertex_panel.UNITALKER_PT_vertex_head,
    import_panel.UNITALKER_PT_import_motion,
    queue_panel.UNITALKER_UL_queue,
    queue_panel.UNITALKER_PT_queue,
)

COMMAND = "unitalker"

_command: Any = None


def register() -> None:
    global _command
    translations.register()
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    properties.add_to_scene()
    mapping_settings.add_to_objects()
    interchange_settings.add_to_scene()
    bpy.app.handlers.undo_post.append(live_direction.after_undo)
    bpy.app.handlers.redo_post.append(live_direction.after_undo)
    bpy.app.handlers.load_pre.append(live_direction.before_load)
    _command = bpy.utils.register_cli_command(COMMAND, _run_command)


def unregister() -> None:
    global _command
    stepping.forget()
    live_direction.forget()
    preview.forget()
    bpy.app.handlers.undo_post.remove(live_direction.after_undo)
    bpy.app.handlers.redo_post.remove(live_direction.after_undo)
    bpy.app.handlers.load_pre.remove(live_direction.before_load)
    backend_session.close()
    bpy.utils.unregister_cli_command(_command)
    _command = None
    interchange_settings.remove_from_scene()
    mapping_settings.remove_from_objects()
    properties.remove_from_scene()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
    translations.unregister()


def _run_command(arguments: list[str]) -> int:
    from . import headless  # with argparse, which only this needs

    return headless.run(arguments)

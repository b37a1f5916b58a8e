"""What Blender is told about, in order, and taken back in reverse."""

from __future__ import annotations

from typing import Any

import bpy

from . import backend_session, properties
from .operators import mapping as mapping_operators
from .operators import stepping
from .operators.animate import UNITALKER_OT_animate
from .operators.backend_setup import (
    UNITALKER_OT_check_python,
    UNITALKER_OT_install_backend,
    UNITALKER_OT_remove_backend,
)
from .operators.cancel import UNITALKER_OT_cancel
from .operators.check_backend import UNITALKER_OT_check_backend
from .operators.model_store import UNITALKER_OT_delete_model, UNITALKER_OT_import_model, UNITALKER_OT_model_card
from .panels import mapping as mapping_panel
from .panels.speech import UNITALKER_PT_speech
from .preferences import UniTalkerPreferences
from .settings import mapping as mapping_settings

CLASSES: tuple[type[bpy.types.bpy_struct], ...] = (
    UniTalkerPreferences,
    properties.UniTalkerSettings,
    *mapping_settings.CLASSES,
    UNITALKER_OT_animate,
    UNITALKER_OT_cancel,
    UNITALKER_OT_check_backend,
    UNITALKER_OT_check_python,
    UNITALKER_OT_install_backend,
    UNITALKER_OT_remove_backend,
    UNITALKER_OT_import_model,
    UNITALKER_OT_delete_model,
    UNITALKER_OT_model_card,
    *mapping_operators.CLASSES,
    UNITALKER_PT_speech,
    *mapping_panel.CLASSES,
)

COMMAND = "unitalker"

_command: Any = None


def register() -> None:
    global _command
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    properties.add_to_scene()
    mapping_settings.add_to_objects()
    _command = bpy.utils.register_cli_command(COMMAND, _run_command)


def unregister() -> None:
    global _command
    stepping.forget()
    backend_session.close()
    bpy.utils.unregister_cli_command(_command)
    _command = None
    mapping_settings.remove_from_objects()
    properties.remove_from_scene()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)


def _run_command(arguments: list[str]) -> int:
    from . import headless  # with argparse, which only this needs

    return headless.run(arguments)

"""The preferences' part on the backend: which Python it uses, and an environment made for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from .. import backend_session, backend_setup
from ..client.environment import BACKEND_REQUIREMENTS
from ..client.installed_environment import Environment, environments_folder, requirements_tag
from ..operators.stepping import messages, progress_text, running
from ..translations import translate
from .text import draw_text

if TYPE_CHECKING:
    from ..preferences import UniTalkerPreferences


def draw_backend(layout: bpy.types.UILayout, context: bpy.types.Context, preferences: UniTalkerPreferences) -> None:
    """Which Python runs the backend, whether it is fit, and on which device it computes."""
    layout.prop(preferences, "python", placeholder="chosen automatically")
    layout.prop(preferences, "device")
    python, problem = backend_setup.python_in_use()
    draw_text(layout, f"In use: {python}" if python else problem, context)
    check = backend_setup.last_check()
    if check is not None:
        draw_text(layout, check.summary(), context, icon="CHECKMARK" if check.fit else "ERROR")
    layout.label(text=translate(backend_session.status()), translate=False)
    row = layout.row()
    row.operator("unitalker.check_python")
    row.operator("unitalker.check_backend")


def draw_installation(
    layout: bpy.types.UILayout, context: bpy.types.Context, preferences: UniTalkerPreferences
) -> None:
    """What *Install Backend* would do, the button, its progress, and what it made before."""
    layout.label(text="Environment for PyTorch", icon="IMPORT")
    build = backend_setup.torch_build()
    if build is None:
        layout.label(text="Looking for a graphics card…")
        return
    layout.prop(preferences, "wheels", placeholder="from the network")
    source = "the folder of wheels" if preferences.wheels else " and ".join(build.sources)
    draw_text(
        layout,
        f"{build.reason} About {build.download / 1e9:.1f} GB from {source}; "
        f"{build.disk / 1e9:.1f} GB on the disk, in {environments_folder()}.",
        context,
    )
    if running() is not None:
        _draw_progress(layout)
    else:
        _draw_install_buttons(layout, build.download)
    for text in (backend_setup.network_problem(), *(message.text for message in messages())):
        if text:
            draw_text(layout, text, context, icon="ERROR")
    if running() is None:
        for environment in backend_setup.environments():
            _draw_environment(layout, environment)


def _draw_progress(layout: bpy.types.UILayout) -> None:
    job = running()
    assert job
    row = layout.row(align=True)
    row.progress(factor=job.fraction, text=progress_text())
    row.operator("unitalker.cancel", text="", icon="CANCEL")


def _draw_install_buttons(layout: bpy.types.UILayout, download: int) -> None:
    own = backend_setup.own_environment()
    row = layout.row()
    row.operator_context = "INVOKE_DEFAULT"
    if own.ready:
        row.operator("unitalker.install_backend", text="Repair", icon="FILE_REFRESH").anew = True
    elif own.record is not None:
        row.operator("unitalker.install_backend", text="Resume", icon="PLAY")
        row.operator("unitalker.install_backend", text="Repair", icon="FILE_REFRESH").anew = True
    else:
        text = translate(f"Install Backend ({download / 1e9:.1f} GB)")
        row.operator("unitalker.install_backend", text=text, translate=False, icon="IMPORT")


def _draw_environment(layout: bpy.types.UILayout, environment: Environment) -> None:
    row = layout.row(align=True)
    row.label(text=f"{environment.folder.name}: {translate(_state(environment))}", icon="FILE_FOLDER", translate=False)
    remove = row.operator("unitalker.remove_backend", text="", icon="TRASH")
    remove.folder = str(environment.folder)


def _state(environment: Environment) -> str:
    record = environment.record
    if record is None:
        return "remains of something deleted"
    if record.state == "partial":
        return "not finished"
    if not environment.python.is_file():
        return "its Python is gone"
    if record.requirements != requirements_tag(BACKEND_REQUIREMENTS):
        return "of another version of the add-on"
    return f"ready ({record.device})"

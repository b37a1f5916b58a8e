"""What the preferences know of the backend's set-up: the build that fits this machine, and the Python as checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from . import backend_session, preference_values
from .client.environment import BACKEND_REQUIREMENTS
from .client.errors import UniTalkerError
from .client.installed_environment import Environment, environment_folder, list_environments, read_environment

if TYPE_CHECKING:
    from .background_thread import BackgroundThread
    from .client.python_check import PythonCheck
    from .client.torch_build import Nvidia, TorchBuild

_look: BackgroundThread[Nvidia | None] | None = None
_check: PythonCheck | None = None


def torch_build(wait: bool = False) -> TorchBuild | None:
    """The build for this machine; None while the graphics card is still being looked for."""
    from .background_thread import BackgroundThread
    from .client.torch_build import choose_build, find_nvidia

    global _look
    if _look is None:
        _look = BackgroundThread(find_nvidia)
    if not wait and not _look.done():
        return None
    return choose_build(_look.result(), force_cpu=preference_values.device() == "cpu")


def own_environment() -> Environment:
    """The environment that *Install Backend* makes, whether it is there or not."""
    return read_environment(environment_folder(BACKEND_REQUIREMENTS))


def environments() -> list[Environment]:
    """Every environment that was made on this machine."""
    return list_environments()


def network_problem() -> str:
    """Why nothing may be downloaded; empty when it may, or when a folder of wheels makes the network needless."""
    if bpy.app.online_access or preference_values.wheels_folder():
        return ""
    if bpy.app.online_access_override:
        return "Blender was started with --offline-mode. Start it without, or choose a folder of wheels."
    return (
        "Blender may not use the network. Switch on Edit > Preferences > System > Network > Allow Online Access, "
        "or choose a folder of wheels."
    )


def python_in_use() -> tuple[Path | None, str]:
    """The Python that would run the backend, and why there is none."""
    try:
        return backend_session.command().python, ""
    except UniTalkerError as error:
        return None, str(error)


def last_check() -> PythonCheck | None:
    """The answer of the last check, as long as it is of the Python in use."""
    return _check if _check is not None and _check.python == python_in_use()[0] else None


def remember_check(check: PythonCheck | None) -> None:
    """Keep the answer of a check for the preferences; None forgets it."""
    global _check
    _check = check

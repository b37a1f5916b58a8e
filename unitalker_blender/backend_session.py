"""The one backend of this Blender."""

from __future__ import annotations

import atexit
from pathlib import Path
from typing import TYPE_CHECKING

from . import preference_values
from .client.environment import BackendCommand, backend_root, resolve_command

if TYPE_CHECKING:
    from .client.protocol import Hello
    from .client.session import BackendSession

ADDON_FOLDER = Path(__file__).resolve().parent

_session: BackendSession | None = None


def get() -> BackendSession:
    """The session, made when first asked for; its process starts with the first job."""
    global _session
    if _session is None:
        # Not at the top: what runs a process takes half of the time that registration may take.
        from .client.session import BackendSession

        _session = BackendSession(command)
        atexit.register(close)
    return _session


def current_hello() -> Hello | None:
    """What the running backend said of itself; None when none runs."""
    return _session.hello if _session else None


def status() -> str:
    """One line on the backend, for the panel."""
    return get().status()


def root_folder() -> Path:
    """The folder that holds `backend` and `assets`."""
    return backend_root(ADDON_FOLDER)


def assets_folder() -> Path:
    """Where the models and rigs lie."""
    return root_folder() / "assets"


def close() -> None:
    """End the backend."""
    global _session
    if _session is not None:
        _session.close()
        _session = None
        atexit.unregister(close)


def command() -> BackendCommand:
    """How the backend would be started now; UniTalkerError when there is no way."""
    return resolve_command(preference_values.python_path(), ADDON_FOLDER)

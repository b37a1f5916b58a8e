"""What the preferences say, also where there are none: when a script registers the package without an extension."""

from __future__ import annotations

import bpy

from . import __package__ as base_package


def python_path() -> str:
    """The Python chosen to run the backend, empty for none."""
    stored = _stored()
    return bpy.path.abspath(stored.python) if stored else ""


def device() -> str:
    """The device chosen: ``auto``, ``cpu``, ``cuda`` or ``mps``."""
    stored = _stored()
    return stored.device if stored else "auto"


def wheels_folder() -> str:
    """Folder of wheels that takes the place of the network, empty for none."""
    stored = _stored()
    return bpy.path.abspath(stored.wheels) if stored else ""


def _stored() -> bpy.types.AddonPreferences | None:
    addon = bpy.context.preferences.addons.get(base_package)
    return addon.preferences if addon else None

"""UniTalker for Blender: the part that runs inside Blender."""

from __future__ import annotations


# Imported when called: the modules below `client` also run, and are tested, where there is no bpy.
def register() -> None:
    """Called by Blender when the extension is enabled."""
    from . import registration

    registration.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled; ends the backend."""
    from . import registration

    registration.unregister()

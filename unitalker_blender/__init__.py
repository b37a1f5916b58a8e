"""UniTalker for Blender: the part that runs inside Blender."""

from __future__ import annotations

# Blender's glTF importer looks for this class in every add-on.
from .gltf_names import glTF2ImportUserExtension as glTF2ImportUserExtension


# Imported when called: the modules below `client` also run, and are tested, where there is no bpy.
def register() -> None:
    """Called by Blender when the extension is enabled."""
    from . import registration

    registration.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled; ends the backend."""
    from . import registration

    registration.unregister()

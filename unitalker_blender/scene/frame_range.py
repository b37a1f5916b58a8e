"""The range of frames that a scene plays."""

from __future__ import annotations

import bpy


def extend_range(scene: bpy.types.Scene, first: int, last: int) -> None:
    """Make the scene's range contain the frames `first` to `last`; it never shrinks.

    A scene's range cannot begin before frame 0, so what speaks earlier stays outside.
    """
    scene.frame_start = min(scene.frame_start, max(first, 0))
    scene.frame_end = max(scene.frame_end, last)

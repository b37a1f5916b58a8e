"""The scene's frame range as a video with its sound, in the scene's own engine, size and camera."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy

from .. import compat

# Suffix, and what Blender calls the container.
CONTAINERS = {".mp4": "MPEG4", ".mov": "QUICKTIME", ".mkv": "MKV"}


def render_video(scene: bpy.types.Scene, path: str) -> Any:
    """Render the frame range as H.264 with AAC; returns what Blender's operator does.

    The scene needs a camera. Its render settings are as before afterwards.
    """
    with _video_settings(scene, path):
        return bpy.ops.render.render(animation=True, scene=scene.name)


@contextmanager
def _video_settings(scene: bpy.types.Scene, path: str) -> Iterator[None]:
    render, ffmpeg = scene.render, scene.render.ffmpeg
    wanted: list[tuple[Any, str, Any]] = [
        *compat.video_format(render.image_settings),
        (ffmpeg, "format", CONTAINERS[Path(path).suffix.lower()]),
        (ffmpeg, "codec", "H264"),
        (ffmpeg, "constant_rate_factor", "HIGH"),
        (ffmpeg, "audio_codec", "AAC"),
        (render, "filepath", path),
        # With it Blender puts the frame range into the name.
        (render, "use_file_extension", False),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in wanted]
    try:
        for owner, name, value in wanted:
            setattr(owner, name, value)
        yield
    finally:
        # In the same order: which formats can be set depends on the medium.
        for owner, name, value in before:
            setattr(owner, name, value)

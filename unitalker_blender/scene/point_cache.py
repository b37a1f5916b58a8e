"""Vertex motion as a PC2 file that a Mesh Cache modifier plays: exact, whatever the motion."""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Iterable
from pathlib import Path

import bpy
import numpy as np

from ..client.errors import UniTalkerError

MODIFIER = "UniTalker Cache"

_SETTINGS = {
    "cache_format": "PC2",
    "deform_mode": "OVERWRITE",
    "interpolation": "LINEAR",
    "play_mode": "SCENE",
    "time_mode": "FRAME",
    # As Blender has them: what is written is in the mesh's own space.
    "forward_axis": "POS_Y",
    "up_axis": "POS_Z",
    "factor": 1.0,
    "frame_scale": 1.0,
    "show_viewport": True,
    "show_render": True,
}


def write_pc2(path: Path, blocks: Iterable[np.ndarray], vertices: int, frames: int) -> None:
    """Write a PC2 whole or not at all.

    Args:
        path: of the file.
        blocks: positions (some frames, vertices, 3), one after another.
        vertices: in each frame.
        frames: in all.

    Raises:
        UniTalkerError: ``output.unwritable``.
    """
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with partial.open("xb") as file:
            # Signature, version, vertices, first frame, frames between samples, samples; little-endian.
            file.write(struct.pack("<12siiffi", b"POINTCACHE2\0", 1, vertices, 0.0, 1.0, frames))
            for block in blocks:
                file.write(np.ascontiguousarray(block, "<f4").tobytes())
        partial.replace(path)
    except OSError as error:
        raise UniTalkerError(
            "output.unwritable", f"The point cache {path} cannot be written: {error.strerror}.", "Choose another file."
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def check_cache_path(path: Path) -> None:
    """Find out before the work whether a cache can be written; UniTalkerError ``output.unwritable``."""
    if path.suffix.lower() != ".pc2" or path.is_dir():
        reason = "its name has to end in .pc2"
    elif not path.parent.is_dir():
        reason = f"there is no folder {path.parent}"
    elif not os.access(path.parent, os.W_OK):
        reason = "the folder does not allow it"
    else:
        return
    raise UniTalkerError("output.unwritable", f"The point cache {path} cannot be written: {reason}.", "Choose another.")


def play_cache(target: bpy.types.Object, path: Path, frame_start: int) -> None:
    """Let a Mesh Cache modifier play a file from a scene frame on.

    It comes first in the stack, so that an armature or a subdivision works on what it gives.
    """
    modifier = target.modifiers.get(MODIFIER)
    if modifier is None or modifier.type != "MESH_CACHE":
        modifier = target.modifiers.new(MODIFIER, "MESH_CACHE")
        target.modifiers.move(len(target.modifiers) - 1, 0)
    settings = _SETTINGS | {"filepath": _as_blender_keeps_it(path), "frame_start": frame_start}
    for name, value in settings.items():
        setattr(modifier, name, value)


def _as_blender_keeps_it(path: Path) -> str:
    """Beside a saved file relative to it, so that both can be moved together."""
    try:
        return str(bpy.path.relpath(str(path))) if bpy.data.is_saved else str(path)
    except ValueError:  # on another drive of Windows
        return str(path)

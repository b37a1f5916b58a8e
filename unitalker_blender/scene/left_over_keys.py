"""Mouth shapes of another family that somebody left turned on beside those that speak."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import bpy

from .rig_detection import detect, some
from .target import shape_key_names

_VISIBLE = 0.01  # of a weight


def left_over(meshes: Iterable[bpy.types.Object], driven: Collection[tuple[int, str]], rigs: Path) -> list[str]:
    """What the user should know of visemes, vowels and other mouth shapes that stay at a value and add to the motion.

    Args:
        driven: session id of the shape keys and name of those that move.
        rigs: folder of the conventions.
    """
    notes = []
    for mesh in meshes:
        key = mesh.data.shape_keys
        known = _mouth_keys(tuple(shape_key_names(key)), rigs)
        blocks = [block for block in key.key_blocks if block.name in known and not block.mute]
        left = [
            f"{block.name} ({block.value:.2g})"
            for block in blocks
            if abs(block.value) > _VISIBLE and (key.session_uid, block.name) not in driven
        ]
        if left:
            notes.append(
                f"'{mesh.name}' has shapes turned on that deform the mouth besides: {some(left)}; set them to 0"
            )
    return notes


def _mouth_keys(names: tuple[str, ...], rigs: Path) -> set[str]:
    """Those of the shape keys that are mouth shapes of any convention that the mesh could speak by."""
    return {
        name
        for detection in detect(names, rigs)
        for channel, keys in detection.keys.items()
        if detection.convention.channels[channel].mouth
        for name in keys
    }

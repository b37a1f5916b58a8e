"""A small picture of a take for the panel: how loud the sound is, and the opening of the mouth over it.

Blender draws the picture of an icon into a square, so a wide one is cut into tiles that are drawn side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import bpy.utils.previews

if TYPE_CHECKING:
    import numpy as np

    from .settings.takes import UniTalkerTake

POINTS = 256
"""Numbers that a take keeps of its sound and of its curve."""

TILES = 3
_SIZE = 96  # pixels of a tile
_SOUND = (0.45, 0.45, 0.45, 1.0)
_CURVE = (1.0, 0.62, 0.2, 1.0)

_pictures: bpy.utils.previews.ImagePreviewCollection | None = None
_shown: dict[str, str] = {}


def encode(values: Sequence[float]) -> str:
    """Numbers from 0 to 1 as text, two hexadecimal digits each."""
    return bytes(round(255 * min(max(value, 0.0), 1.0)) for value in values).hex()


def shorten(values: np.ndarray) -> list[float]:
    """The largest value of each of `POINTS` equal parts of a curve, so that no peak is lost."""
    import numpy as np

    parts = np.array_split(values, min(POINTS, len(values)))
    return [float(part.max()) for part in parts]


def tiles(take: UniTalkerTake) -> tuple[int, ...]:
    """Icons of the picture of a take from left to right; none when nothing is known of its sound and curve."""
    if not take.curve:
        return ()
    pictures = _collection()
    names = [f"{take.uid} {tile}" for tile in range(TILES)]
    content = f"{take.waveform} {take.curve}"
    if _shown.get(take.uid) != content:
        _shown[take.uid] = content
        image = picture(bytes.fromhex(take.waveform), bytes.fromhex(take.curve))
        for tile, name in enumerate(names):
            icon = pictures.get(name) or pictures.new(name)
            icon.image_size = (_SIZE, _SIZE)
            icon.image_pixels_float = image[:, tile * _SIZE : (tile + 1) * _SIZE].ravel().tolist()
    return tuple(pictures[name].icon_id for name in names)


def picture(waveform: bytes, curve: bytes) -> np.ndarray:
    """Sound in grey around the middle, the curve as a line from the bottom.

    Returns:
        RGBA from the bottom row up, float32 of shape ``(96, 288, 4)``.
    """
    import numpy as np

    width = TILES * _SIZE
    image = np.zeros((_SIZE, width, 4), np.float32)
    rows = np.arange(_SIZE)[:, None]
    if waveform:
        half = _across(waveform, width) * (_SIZE / 2 - 1)
        image[np.abs(rows - (_SIZE - 1) / 2) <= half + 0.5] = _SOUND
    height = _across(curve, width) * (_SIZE - 3)
    before = np.concatenate([height[:1], height[:-1]])
    image[(rows >= np.minimum(height, before)) & (rows <= np.maximum(height, before) + 2)] = _CURVE
    return image


def forget() -> None:
    """Give the pictures back; for when the add-on is turned off."""
    global _pictures
    _shown.clear()
    if _pictures is not None:
        bpy.utils.previews.remove(_pictures)
        _pictures = None


def _collection() -> bpy.utils.previews.ImagePreviewCollection:
    global _pictures
    if _pictures is None:
        _pictures = bpy.utils.previews.new()
    return _pictures


def _across(values: bytes, width: int) -> np.ndarray:
    """Numbers from 0 to 1, one for each column."""
    import numpy as np

    numbers = np.frombuffer(values, np.uint8).astype(np.float32) / 255
    return np.interp(np.linspace(0, len(numbers) - 1, width), np.arange(len(numbers)), numbers)

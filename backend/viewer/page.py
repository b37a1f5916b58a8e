"""One HTML page with everything in it: motion, head, sound, and the program that plays them.

The page holds a JSON description and one block of binary data. Where the JSON refers to data it gives
``[byte offset, count of numbers]``. A policy in the page forbids the browser to load anything else, whatever the data
says, and to run any program but this one.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backend.annotation import FaceMotion
from backend.errors import UniTalkerError
from backend.export.atomic import atomic_write
from backend.viewer.glb import Surface
from backend.viewer.parts import DrawnHead
from backend.viewer.sound import PageSound

MOST_BYTES = 300 << 20
"""Of data in a page. Browsers hold a page as one string, and stop at half a gigabyte."""

_FOLDER = Path(__file__).parent
_SHOWN_AT_FIRST = 4
_BLANK = re.compile(r"\{\{(\w+)\}\}")

Place = list[int]


def write_page(path: Path, motion: FaceMotion, head: DrawnHead, sound: PageSound | None, title: str) -> None:
    """Write the page.

    Args:
        path: of the page.
        motion: what the curves show, and what drives the shapes of `head`.
        head: what is drawn.
        sound: what is heard.
        title: of the page; any text.

    Raises:
        UniTalkerError: ``output.unwritable``, also where the page would be too large for a browser.
    """
    data = _Data()
    page = _describe(motion, head, sound, data)
    if len(data.content) > MOST_BYTES:
        raise UniTalkerError(
            "output.unwritable",
            f"The page would hold {len(data.content) >> 20} MB; browsers take at most {MOST_BYTES >> 20} MB.",
            "View a shorter motion, or one of blendshapes.",
        )
    filled = _fill(page, data.content, title)
    with atomic_write(path) as file:
        file.write(filled.encode())


class _Data:
    """The binary block, every array at a multiple of four."""

    def __init__(self) -> None:
        self.content = bytearray()

    def add(self, values: np.ndarray | bytes) -> Place:
        self.content += b"\0" * (-len(self.content) % 4)
        place = [len(self.content), len(values) if isinstance(values, bytes) else values.size]
        self.content += values if isinstance(values, bytes) else np.ascontiguousarray(values).tobytes()
        return place

    def add_scaled(self, values: np.ndarray) -> tuple[Place, float]:
        """As 16-bit whole numbers, and what they have to be multiplied by."""
        scale = float(np.abs(values).max(initial=0)) / np.iinfo(np.int16).max
        whole = np.round(values / scale) if scale else np.zeros_like(values)
        return self.add(whole.astype("<i2")), scale


def _describe(motion: FaceMotion, head: DrawnHead, sound: PageSound | None, data: _Data) -> dict[str, Any]:
    names, curves = _curves(motion, head)
    low, high = min(0.0, float(curves.min())), max(1e-6, float(curves.max()))
    vertices = None
    if head.offsets is not None:
        place, scale = data.add_scaled(head.offsets)
        vertices = {"offsets": place, "scale": scale}
    annotation = motion.annotation
    about = [
        f"{annotation.title or annotation.type_name}: {len(motion.values)} frames at {motion.fps:g} fps",
        *head.notes,
    ]
    return {
        "about": "; ".join(about),
        "names": names,
        "shown": _liveliest(curves),
        "values": data.add(curves.astype("<f4")),
        "low": low,
        "high": high,
        "fps": motion.fps,
        "frames": len(curves),
        "duration": max(motion.duration, sound.seconds if sound else 0.0),
        "vertices": vertices,
        "parts": [_part(surface, names, data) for surface in head.surfaces],
        "focus": {"centre": head.focus.centre, "radius": head.focus.radius, "yaw": head.focus.yaw},
        "sound": {"type": sound.media_type, "bytes": data.add(sound.content)} if sound else None,
    }


def _curves(motion: FaceMotion, head: DrawnHead) -> tuple[list[str], np.ndarray]:
    """What is drawn as curves: the channels, or how far the vertices are from their mean, in millimetres."""
    if head.offsets is None:
        return list(motion.annotation.channel_names), motion.values
    distances = np.linalg.norm(head.offsets.reshape(len(head.offsets), -1, 3), axis=2)
    return ["farthest vertex (mm)", "mean of vertices (mm)"], np.column_stack(
        (distances.max(1), distances.mean(1))
    ) * 1e3


def _liveliest(curves: np.ndarray) -> list[int]:
    order = np.argsort(np.ptp(curves, axis=0), kind="stable")[::-1]
    return [int(channel) for channel in order[:_SHOWN_AT_FIRST]]


def _part(surface: Surface, names: Sequence[str], data: _Data) -> dict[str, Any]:
    kind, picture = surface.texture or ("", b"")
    return {
        "points": data.add(surface.points.astype("<f4")),
        "normals": None if surface.normals is None else data.add(surface.normals.astype("<f4")),
        "texels": None if surface.texels is None else data.add(surface.texels.astype("<f4")),
        "triangles": data.add(surface.triangles.astype("<u4")),
        "colour": surface.colour,
        "texture": {"type": kind, "bytes": data.add(picture)} if surface.texture else None,
        "shapes": [_shape(names.index(name), offsets, data) for name, offsets in surface.shapes.items()],
    }


def _shape(channel: int, offsets: np.ndarray, data: _Data) -> dict[str, Any]:
    moved = np.flatnonzero(offsets.any(1))
    place, scale = data.add_scaled(offsets[moved])
    return {"channel": channel, "scale": scale, "indices": data.add(moved.astype("<u4")), "offsets": place}


def _fill(page: dict[str, Any], data: bytes | bytearray, title: str) -> str:
    script, style = _read("viewer.js"), _read("viewer.css")
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src blob:; media-src blob:; "
        f"script-src '{_hash(script)}'; style-src '{_hash(style)}'"
    )
    blanks = {
        "policy": policy,
        "title": html.escape(title),
        "style": style,
        # In a script element only "<" can end it or begin a comment.
        "page": json.dumps(page, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c"),
        "data": base64.b64encode(data).decode(),
        "script": script,
    }
    # In one pass, so that nothing in the data is taken for a blank.
    return _BLANK.sub(lambda blank: blanks[blank[1]], _read("viewer.html"))


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """As a content security policy names the one script or style that may be used."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

"""Pictures of the screen: from the X server's own format to small PNG files."""

from __future__ import annotations

import struct
from pathlib import Path

from PIL import Image

_HEADER = ">25I"  # the first fields of an XWD file, version 7
_COLOUR_ENTRY = 12  # bytes
_PIXELS = {24: "BGR", 32: "BGRX"}


def read_xwd(path: Path) -> Path:
    """Turn ``NAME.xwd`` into ``NAME.png`` beside it; returns the new file.

    The format is XWD version 7 with three or four bytes a pixel, as X servers with a depth of 24 write it.
    """
    data = path.read_bytes()
    fields = struct.unpack_from(_HEADER, data)
    header_size, version = fields[:2]
    width, height, bits, line, colours = fields[4], fields[5], fields[11], fields[12], fields[19]
    if version != 7 or bits not in _PIXELS:
        raise ValueError(f"{path} has XWD version {version} with {bits} bits a pixel")
    pixels = data[header_size + _COLOUR_ENTRY * colours :]
    picture = Image.frombytes("RGB", (width, height), pixels, "raw", _PIXELS[bits], line)
    target = path.with_suffix(".png")
    picture.save(target)
    path.unlink()
    return target


def save_small(source: Path, target: Path, box: tuple[int, int, int, int] | None = None) -> None:
    """A palette PNG of a picture, or of a part of it (left, top, right, bottom), for the documentation."""
    picture = Image.open(source).convert("RGB")
    picture = picture.crop(box) if box else picture
    target.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(128, dither=Image.Dither.NONE).save(target, optimize=True)

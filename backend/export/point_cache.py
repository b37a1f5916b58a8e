"""Point caches: the positions of every vertex, frame by frame, as PC2 and MDD.

Blender plays both with the Mesh Cache modifier, Maya, Houdini, 3ds Max and Cinema 4D with theirs. The axes are the
head's own: y up and, for a head that looks at the camera, z forward. Both formats hold float32, so nothing is lost.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from backend.annotation import Annotation, FaceMotion
from backend.errors import UniTalkerError
from backend.export.atomic import atomic_write

_FRAMES_AT_ONCE = 256


def write_pc2(motion: FaceMotion, path: Path) -> None:
    """Write a PC2: 32 bytes of header, little-endian, then the positions. Its samples are one scene frame apart.

    Raises:
        UniTalkerError: ``output.unwritable``, also for a head that has no vertices.
    """
    check_vertices(motion.annotation)
    frames, points = len(motion.values), motion.annotation.dim // 3
    with atomic_write(path) as file:
        # Signature, version, points, first frame, frames between samples, samples.
        file.write(struct.pack("<12siiffi", b"POINTCACHE2\0", 1, points, 0.0, 1.0, frames))
        for block in _blocks(motion):
            file.write(block.astype("<f4").tobytes())


def write_mdd(motion: FaceMotion, path: Path) -> None:
    """Write an MDD: frames, points, the time of each frame in seconds, then the positions; all big-endian.

    Raises:
        UniTalkerError: ``output.unwritable``, also for a head that has no vertices.
    """
    check_vertices(motion.annotation)
    frames, points = len(motion.values), motion.annotation.dim // 3
    with atomic_write(path) as file:
        file.write(struct.pack(">ii", frames, points))
        file.write((np.arange(frames) / motion.fps).astype(">f4").tobytes())
        for block in _blocks(motion):
            file.write(block.astype(">f4").tobytes())


def check_vertices(annotation: Annotation) -> None:
    """Whether a head can be written as a point cache.

    Raises:
        UniTalkerError: ``output.unwritable``.
    """
    if annotation.kind != "vertices":
        raise UniTalkerError(
            "output.unwritable",
            f"The head {annotation.type_name} gives no vertices, which a .pc2 or .mdd consists of.",
            "Choose a head of vertices, or write .npz, .csv or .json.",
        )


def _blocks(motion: FaceMotion) -> Iterator[np.ndarray]:
    """A few frames at a time: the copy in the file's byte order never doubles the memory."""
    for start in range(0, len(motion.values), _FRAMES_AT_ONCE):
        yield motion.values[start : start + _FRAMES_AT_ONCE]

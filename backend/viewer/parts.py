"""What the page draws: a head whose morph targets the motion drives, or the vertices that the motion moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from backend.annotation import FaceMotion
from backend.errors import UniTalkerError
from backend.viewer.glb import Surface, read_glb
from backend.viewer.shape_names import match_shapes
from backend.viewer.still_vertices import merge_still_vertices

MOST_VERTICES = 60_000
"""Above this, vertices that no shape moves are merged: hair and body cost a page much and show nothing new."""

_SMALLEST_OFFSET = 1e-5
"""Metres; what moves less stays out of the page."""

_SKIN = (0.62, 0.40, 0.30, 1.0)


@dataclass(frozen=True)
class Focus:
    """Where the camera looks: centre and radius of what moves, in metres, and radians by which the head is turned."""

    centre: tuple[float, float, float]
    radius: float
    yaw: float


@dataclass(frozen=True)
class DrawnHead:
    """What is drawn and what drives it.

    Attributes:
        surfaces: their shapes are named as channels of the motion.
        focus: where the camera looks.
        notes: what a person should know of the head.
        offsets: float32 (frames, vertices * 3) from the points of the one surface, for a head of vertices.
    """

    surfaces: list[Surface]
    focus: Focus
    notes: tuple[str, ...] = field(default=())
    offsets: np.ndarray | None = None


def head_of_shapes(motion: FaceMotion, head: Path) -> DrawnHead:
    """A head from a file, with those of its morph targets that the motion has a channel for.

    Raises:
        UniTalkerError: ``head.*``; the file cannot be read, or the motion moves nothing of it.
    """
    surfaces = read_glb(head)
    names = {name: None for surface in surfaces for name in surface.shapes}
    matches = match_shapes(motion.annotation.channel_names, names)
    if not matches:
        known = ", ".join(list(names)[:4]) or "none at all"
        raise UniTalkerError(
            "head.no_shapes",
            f"{head} has no morph target that the motion moves: it has {known}.",
            f"The motion has {', '.join(motion.annotation.channel_names[:4])} and so on; choose another --head.",
        )
    driven = [_driven(surface, matches) for surface in surfaces]
    notes = [f"{len(matches)} of {motion.annotation.dim} channels move this head"]
    if sum(len(surface.points) for surface in driven) > MOST_VERTICES:
        driven = [merge_still_vertices(surface) for surface in driven]
        notes.append("vertices that nothing moves are merged, to keep the page small")
    return DrawnHead(driven, _focus(driven), tuple(notes))


def head_of_vertices(motion: FaceMotion, triangles: np.ndarray | None) -> DrawnHead:
    """The vertices themselves, as a surface where the triangles between them are known, else as points.

    Args:
        motion: of a head of vertices.
        triangles: uint32 (T, 3), or None.
    """
    mean = motion.values.mean(0)
    offsets = motion.values - mean
    nothing = np.zeros((0, 3), np.uint32)
    points = mean.reshape(-1, 3)
    surface = Surface(points, None, None, nothing if triangles is None else triangles, {}, _SKIN, None)
    centre = (points.min(0) + points.max(0)) / 2
    radius = float(np.linalg.norm(points - centre, axis=1).max()) or 1.0
    notes = () if triangles is not None else ("the triangles between these vertices are not known: shown as points",)
    return DrawnHead([surface], Focus(_triple(centre), radius, 0.0), notes, offsets)


def _driven(surface: Surface, matches: dict[str, list[str]]) -> Surface:
    """The surface with its shapes under the names of the channels; halves of a shape become one."""
    shapes = {}
    for channel, names in matches.items():
        offsets = sum((surface.shapes[name] for name in names if name in surface.shapes), np.float32(0))
        if np.abs(offsets).max(initial=0) > _SMALLEST_OFFSET:
            shapes[channel] = np.asarray(offsets, np.float32)
    return Surface(
        surface.points, surface.normals, surface.texels, surface.triangles, shapes, surface.colour, surface.texture
    )


def _focus(surfaces: list[Surface]) -> Focus:
    everything = np.concatenate([surface.points for surface in surfaces])
    moving = [surface.points[moved_vertices(surface)] for surface in surfaces if surface.shapes]
    face = np.concatenate(moving) if moving else everything
    centre = (face.min(0) + face.max(0)) / 2
    # A face is at the front of its head; VRM 0 heads look the other way than all others.
    behind = face[:, 2].mean() < everything[:, 2].mean() - 1e-3
    radius = float(np.linalg.norm(face - centre, axis=1).max()) or 1.0
    return Focus(_triple(centre), radius, float(np.pi) if behind else 0.0)


def moved_vertices(surface: Surface) -> np.ndarray:
    """Which vertices any shape moves, bool (N,)."""
    moved = np.zeros(len(surface.points), bool)
    for offsets in surface.shapes.values():
        moved |= np.abs(offsets).max(1) > _SMALLEST_OFFSET
    return moved


def _triple(point: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in point)
    return x, y, z

"""Pictures of faces: where a mesh misses, and measured beside predicted motion."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backend.annotation import Annotation, FaceMotion
from backend.viewer.parts import DrawnHead, head_of_shapes
from training.report.face_mesh import FaceMesh
from training.report.held_out import Passage
from training.report.rasteriser import Camera, Mesh, read_texture, render

FRAMES = 8
"""Of a contact sheet."""
SAMPLE_HEAD = Path(__file__).resolve().parents[2] / "assets" / "heads" / "makehuman_head.glb"

_SCALE = np.array([(70, 20, 100), (62, 74, 137), (38, 130, 142), (53, 183, 121), (180, 222, 44), (253, 231, 37)]) / 255
"""From no error to the largest."""
_SKIN = (0.76, 0.62, 0.54)
_SIDE = -1.15
_LARGE, _SMALL = 300, 160


@dataclass(frozen=True)
class HeatMap:
    """Errors on a mesh.

    Attributes:
        views: name and picture, as data addresses.
        largest: mm, at the upper end of the scale; 99 of 100 vertices are below.
        colours: of the scale, from 0 upwards, as CSS has them.
    """

    views: tuple[tuple[str, str], ...]
    largest: float
    colours: tuple[str, ...]


@dataclass(frozen=True)
class Moment:
    """One column of a contact sheet: seconds, and both pictures as data addresses."""

    seconds: float
    truth: str
    prediction: str


def heat_map(mesh: FaceMesh, error: np.ndarray) -> HeatMap:
    """The mean error of each vertex in mm as a colour, from the front and from the side."""
    largest = float(np.percentile(error, 99)) or 1.0
    place = np.clip(error / largest, 0, 1) * (len(_SCALE) - 1)
    colours = np.column_stack([np.interp(place, np.arange(len(_SCALE)), channel) for channel in _SCALE.T])
    camera = _camera(mesh.rest, _LARGE)
    shown = Mesh(mesh.rest, mesh.triangles, colours)
    return HeatMap(
        views=tuple(
            (name, _address(render([shown], replace(camera, yaw=yaw))))
            for name, yaw in (("front", 0.0), ("side", _SIDE))
        ),
        largest=largest,
        colours=tuple(f"rgb({' '.join(str(round(255 * value)) for value in colour)})" for colour in _SCALE),
    )


def mesh_sheet(mesh: FaceMesh, passage: Passage) -> list[Moment]:
    """Moments of a passage of vertices, evenly spaced."""
    camera = _camera(mesh.rest, _SMALL)
    colours = np.tile(_SKIN, (len(mesh.rest), 1))

    def picture(displacement: np.ndarray) -> str:
        return _address(render([Mesh(mesh.rest + displacement.reshape(-1, 3), mesh.triangles, colours)], camera))

    return _moments(passage, picture)


def weight_sheet(annotation: Annotation, passage: Passage) -> tuple[list[Moment], str]:
    """Moments of a passage of weights on the sample head, and what to know of it.

    Raises:
        UniTalkerError: ``head.no_shapes``; the sample head has none of these shapes.
    """
    head = head_of_shapes(FaceMotion(passage.truth.astype(np.float32), passage.fps, annotation), SAMPLE_HEAD)
    sitter = _Sitter(head, annotation)
    return _moments(passage, sitter.picture), "; ".join(head.notes)


class _Sitter:
    """The sample head, ready to be drawn with other weights."""

    def __init__(self, head: DrawnHead, annotation: Annotation) -> None:
        self._surfaces = head.surfaces
        self._textures = [read_texture(s.texture[1]) if s.texture else None for s in head.surfaces]
        self._channels = {name: number for number, name in enumerate(annotation.channel_names)}
        radius = head.focus.radius
        # Brows and eyes move too, but the mouth is what speaks.
        self._camera = Camera(
            np.array(head.focus.centre) - [0, 0.16 * radius, 0], 0.68 * radius, head.focus.yaw, _SMALL
        )

    def picture(self, weights: np.ndarray) -> str:
        meshes = []
        for surface, texture in zip(self._surfaces, self._textures, strict=True):
            points = surface.points.copy()
            for name, offsets in surface.shapes.items():
                points += np.clip(np.float32(weights[self._channels[name]]), 0, 1) * offsets
            colours = np.tile(surface.colour[:3], (len(points), 1))
            meshes.append(Mesh(points, surface.triangles.astype(np.int64), colours, surface.texels, texture))
        return _address(render(meshes, self._camera))


def _moments(passage: Passage, picture: Callable[[np.ndarray], str]) -> list[Moment]:
    frames = np.unique(np.linspace(0, len(passage.truth) - 1, FRAMES).round().astype(int))
    return [
        Moment(passage.start + frame / passage.fps, picture(passage.truth[frame]), picture(passage.prediction[frame]))
        for frame in frames
    ]


def _camera(points: np.ndarray, size: int) -> Camera:
    low, high = points.min(0), points.max(0)
    return Camera((low + high) / 2, float(np.ptp(points, axis=0).max()) * 0.54 or 1.0, 0.0, size)


def _address(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"

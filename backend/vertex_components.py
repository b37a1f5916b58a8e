"""Vertex motion as a few shapes and their weights: what shape keys can play, and how far it is from the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.annotation import FaceMotion
from backend.errors import UniTalkerError
from backend.export.atomic import atomic_write
from backend.topology import triangles_of

_FRAMES_AT_ONCE = 256
_FRAMES_LOOKED_AT = 1000
"""From these, evenly spread over the take, the shapes are found; a model's vertices have fewer degrees of freedom."""

_NOTHING = 1e-7
"""Metres; shapes that move less than this are rounding errors."""

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class VertexComponents:
    """``vertices = rest + weights @ shapes``, up to the error.

    Attributes:
        rest: float32 (D,), metres: the face at which all weights are 0.
        shapes: float32 (K, D), metres: offsets at weight 1, most important first.
        weights: float32 (frames, K), within -1 to 1.
        largest_error: metres, of the worst vertex in the worst frame.
        mean_error: metres, root mean square over vertices and frames.
    """

    rest: np.ndarray
    shapes: np.ndarray
    weights: np.ndarray
    largest_error: float
    mean_error: float

    def read_out(self) -> dict[str, float]:
        """For people: number of shapes, and the errors in millimetres."""
        return {
            "components": float(len(self.shapes)),
            "largest_error_mm": self.largest_error * 1e3,
            "mean_error_mm": self.mean_error * 1e3,
        }


def check_has_vertices(motion: FaceMotion) -> None:
    """Whether a motion is one of vertices; UniTalkerError ``take.no_vertices``."""
    if motion.annotation.kind != "vertices":
        raise UniTalkerError(
            "take.no_vertices",
            f"The head {motion.annotation.type_name} gives no vertices.",
            "Choose a head of vertices.",
        )


def find_components(
    motion: FaceMotion, rest: np.ndarray | None, most: int, tolerance: float, report: Report
) -> VertexComponents:
    """Principal components of the distance from the resting face; that face itself, and not the mean, is weight 0.

    Args:
        motion: of vertices.
        rest: (D,); the first frame if None.
        most: how many components at most.
        tolerance: metres; no more components than keep every vertex this close, where that takes less than `most`.
        report: called with done and total; may raise `backend.errors.Cancelled`.
    """
    face = np.asarray(motion.values[0] if rest is None else rest, np.float32)
    shapes = _directions(motion.values, face, most)
    largest, squares = _errors(motion.values, face, shapes, report)
    enough = np.flatnonzero(largest <= tolerance)
    count = int(enough[0]) if len(enough) else len(shapes)
    count = min(max(count, 1), len(shapes))
    shapes = shapes[:count]
    weights = np.concatenate([(block - face) @ shapes.T for block in _blocks(motion.values)])
    # Blender's sliders, and other programs', are made for weights of about 1.
    reach = np.abs(weights).max(0)
    sign = np.where(weights.max(0) >= reach, 1, -1).astype(np.float32)
    scale = np.maximum(reach, np.finfo(np.float32).tiny) * sign
    mean = float(np.sqrt(squares[count] / (len(motion.values) * len(face) / 3)))
    return VertexComponents(face, shapes * scale[:, None], weights / scale, float(largest[count]), mean)


def _directions(values: np.ndarray, rest: np.ndarray, most: int) -> np.ndarray:
    """Orthonormal rows (K, D), by the eigenvectors of the smaller of the two square matrices."""
    chosen = np.unique(np.linspace(0, len(values) - 1, min(len(values), _FRAMES_LOOKED_AT)).astype(np.intp))
    offsets = (values[chosen] - rest).astype(np.float64)
    wide = offsets.shape[1] > len(offsets)
    square = offsets @ offsets.T if wide else offsets.T @ offsets
    strength, vectors = np.linalg.eigh(square)
    order = np.argsort(strength)[::-1][:most]
    order = order[strength[order] > _NOTHING**2]
    rows = (vectors[:, order].T @ offsets) / np.sqrt(strength[order])[:, None] if wide else vectors[:, order].T
    if not len(rows):  # a face that does not move has one shape that does nothing
        rows = np.zeros((1, offsets.shape[1]))
    return np.ascontiguousarray(rows, np.float32)


def _errors(values: np.ndarray, rest: np.ndarray, shapes: np.ndarray, report: Report) -> tuple[np.ndarray, np.ndarray]:
    """For 0 to K components: distance of the farthest vertex, and sum of squared distances."""
    largest, squares = np.zeros(len(shapes) + 1), np.zeros(len(shapes) + 1)
    for done, block in enumerate(_blocks(values)):
        report(done * _FRAMES_AT_ONCE, len(values))
        left = block - rest
        weights = left @ shapes.T
        for count in range(len(shapes) + 1):
            if count:
                left -= weights[:, count - 1 : count] * shapes[count - 1]
            distances = np.square(left).reshape(len(left), -1, 3).sum(2)
            largest[count] = max(largest[count], float(distances.max()))
            squares[count] += float(distances.sum(dtype=np.float64))
    report(len(values), len(values))
    return np.sqrt(largest), squares


def _blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(values), _FRAMES_AT_ONCE):
        yield values[start : start + _FRAMES_AT_ONCE]


def write_components(components: VertexComponents, motion: FaceMotion, path: Path) -> None:
    """Write an ``.npz`` for the add-on (docs/protocol.md); `motion` is what the components are of.

    Raises:
        UniTalkerError: ``output.unwritable``.
    """
    triangles = triangles_of(motion.annotation)
    with atomic_write(path) as file:
        np.savez(
            file,
            rest=components.rest,
            shapes=components.shapes,
            weights=components.weights,
            triangles=np.zeros((0, 3), np.uint32) if triangles is None else triangles,
            fps=np.float64(motion.fps),
            annotation=np.str_(motion.annotation.type_name),
        )

"""The mesh of a head of vertices, and the movement of its lips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.annotation import Annotation
from backend.topology import triangles_of
from training.datasets.corpus import Corpus
from training.report.held_out import Passage


@dataclass(frozen=True)
class FaceMesh:
    """What does not move.

    Attributes:
        rest: (V, 3) metres, y up, of the first identity.
        triangles: (T, 3) indices; none where they are not known.
        lips: indices of the lip vertices, or ``None``.
    """

    rest: np.ndarray
    triangles: np.ndarray
    lips: np.ndarray | None


def face_mesh(corpus: Corpus, annotation: Annotation) -> FaceMesh:
    """From ``faces.npy`` and ``lip_idx.npy`` of the data sets with this annotation."""
    rest = corpus.template(annotation.type_name).reshape(-1, 3)
    faces, lips = (_companion(corpus, annotation, name) for name in ("faces.npy", "lip_idx.npy"))
    if faces is not None and faces.ndim == 2 and faces.shape[1] in (3, 4) and faces.max() < len(rest):
        triangles = _triangles(faces)
    else:
        known = triangles_of(annotation)
        triangles = np.zeros((0, 3), np.int64) if known is None else known.astype(np.int64)
    return FaceMesh(rest, triangles, None if lips is None else lips.reshape(-1))


def lip_curves(mesh: FaceMesh, passage: Passage) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Measured and predicted curves in mm by name: how much higher and wider the lips are than at rest, and how far the
    vertices are from rest.
    """
    curves: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    truth, prediction = (1000 * values.reshape(len(values), -1, 3) for values in (passage.truth, passage.prediction))
    if mesh.lips is not None:
        for name, axis in (("height of the lips beyond rest", 1), ("width of the lips beyond rest", 0)):
            curves[name] = _extent(mesh, mesh.lips, truth, axis), _extent(mesh, mesh.lips, prediction, axis)
    curves["mean distance of all vertices from rest"] = (
        np.linalg.norm(truth, axis=-1).mean(1),
        np.linalg.norm(prediction, axis=-1).mean(1),
    )
    return curves


def _extent(mesh: FaceMesh, lips: np.ndarray, moved: np.ndarray, axis: int) -> np.ndarray:
    rest = 1000 * mesh.rest[lips, axis]
    extent: np.ndarray = np.ptp(rest + moved[:, lips, axis], axis=1) - np.ptp(rest)
    return extent


def _companion(corpus: Corpus, annotation: Annotation, file: str) -> np.ndarray | None:
    """An array of indices beside the first data set of this annotation that has it."""
    for name in corpus.names:
        path = corpus.folder_of(name) / file
        if corpus.annotation_of(name).type_name == annotation.type_name and path.is_file():
            return np.asarray(np.load(path, allow_pickle=False), np.int64)
    return None


def _triangles(faces: np.ndarray) -> np.ndarray:
    """Quads as two triangles each; of a triangle that is written as a quad the second has no area."""
    if faces.shape[1] == 3:
        return faces
    halves = np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]])
    corners = np.sort(halves, axis=1)
    return halves[(np.diff(corners, axis=1) > 0).all(1)]

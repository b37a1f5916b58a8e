"""The `.npz` in which the backend gives a take of vertices as shapes and weights, read and checked."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import UniTalkerError


@dataclass(frozen=True)
class Components:
    """``vertices = rest + weights @ shapes``.

    Attributes:
        rest: float32 (V, 3), metres, in the head's own axes.
        shapes: float32 (K, V, 3), metres: offsets at weight 1.
        weights: float32 (frames, K), within -1 to 1.
        triangles: int (T, 3); none where they are not known.
        fps: frames per second; frame ``i`` is at ``i / fps`` seconds of the sound.
        annotation: name of the head's annotation type.
    """

    rest: np.ndarray
    shapes: np.ndarray
    weights: np.ndarray
    triangles: np.ndarray
    fps: float
    annotation: str


def load_components(path: Path) -> Components:
    """Read a result; UniTalkerError ``result.unreadable`` when it is not what docs/protocol.md says."""
    try:
        with np.load(path, allow_pickle=False) as data:
            shapes = data["shapes"]
            found = Components(
                rest=data["rest"].reshape(-1, 3),
                shapes=shapes.reshape(len(shapes), -1, 3),
                weights=data["weights"],
                triangles=data["triangles"].astype(np.int32),
                fps=float(data["fps"]),
                annotation=str(data["annotation"]),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(path, str(error)) from error
    _check(found, path)
    return found


def _check(found: Components, path: Path) -> None:
    count, vertices = found.shapes.shape[:2]
    if found.weights.ndim != 2 or found.weights.shape[1] != count or vertices != len(found.rest):
        raise _unreadable(
            path, f"weights {found.weights.shape}, shapes {found.shapes.shape}, {len(found.rest)} vertices"
        )
    if not count or not len(found.weights):
        raise _unreadable(path, "no shapes, or no frames")
    if not all(np.isfinite(array).all() for array in (found.rest, found.shapes, found.weights)):
        raise _unreadable(path, "values that are not numbers")
    if found.triangles.size and not 0 <= found.triangles.min() <= found.triangles.max() < vertices:
        raise _unreadable(path, "triangles of vertices that are not there")


def _unreadable(path: Path, reason: str) -> UniTalkerError:
    return UniTalkerError(
        "result.unreadable",
        f"The backend's result {path.name} cannot be used: {reason}.",
        "Nothing was changed. Check Backend in the preferences shows whether add-on and backend fit together.",
    )

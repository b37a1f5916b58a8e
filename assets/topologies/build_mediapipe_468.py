"""Finds the triangles between the 468 points of the bundled model's face mesh, and writes them beside this file.

The model holds points and no triangles. Its face is one sheet, so that seen from the front with the mouth open a
Delaunay triangulation joins neighbours and nothing else; the opening between the lips is then cut out.

    python assets/topologies/build_mediapipe_468.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.spatial import Delaunay

HEAD = "mediapipe_468_vertices"
FOLDER = Path(__file__).resolve().parent
WEIGHTS = FOLDER.parent / "models" / "unitalker-s" / "model.safetensors"

UPPER_LIP, LOWER_LIP = 13, 14  # in the middle, inside
INNER_LIPS = {78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95}
OPENING = 0.015  # metres


def open_mouth() -> np.ndarray:
    """The template with the mouth open as the model opens it, (468, 3)."""
    tensors = load_file(WEIGHTS)
    template = tensors[f"template_dict.{HEAD}"].astype(np.float64).reshape(-1, 3)
    components = tensors[f"pca_layer_dict.{HEAD}.feat_to_data"].astype(np.float64).reshape(-1, len(template), 3)
    opens = components[:, UPPER_LIP, 1] - components[:, LOWER_LIP, 1]
    spread = tensors[f"pca_layer_dict.{HEAD}.feat_std"].astype(np.float64)
    # The likeliest face with that opening: components count as much as they vary.
    opened = np.einsum("k,kvi->vi", opens * spread**2, components)
    face: np.ndarray = template + opened * OPENING / (opened[UPPER_LIP, 1] - opened[LOWER_LIP, 1])
    return face


def unrolled(face: np.ndarray) -> np.ndarray:
    """Angle around the head and height, so that cheeks which turn away from the front do not overlap."""
    behind = face[:, 2].min() - 0.02
    return np.column_stack((np.arctan2(face[:, 0], face[:, 2] - behind) * 0.1, face[:, 1]))


def triangles() -> np.ndarray:
    """Corners counter-clockwise seen from the front, int (T, 3), sorted."""
    flat = unrolled(open_mouth())
    found = Delaunay(flat).simplices
    (ax, ay), (bx, by) = (flat[found[:, 1]] - flat[found[:, 0]]).T, (flat[found[:, 2]] - flat[found[:, 0]]).T
    found = np.where((ax * by - ay * bx > 0)[:, None], found, found[:, ::-1])
    kept = found[~np.isin(found, list(INNER_LIPS)).all(1)]
    return kept[np.lexsort(np.sort(kept, axis=1).T[::-1])]


def main() -> None:
    found = triangles()
    document = {
        "about": "The triangles between the points of this head, found by build_mediapipe_468.py beside this file.",
        "vertices": 468,
        "triangles": found.ravel().tolist(),
    }
    target = FOLDER / f"{HEAD}.json"
    target.write_text(json.dumps(document) + "\n", encoding="utf-8")
    print(f"{target}: {len(found)} triangles")


if __name__ == "__main__":
    main()

"""Fewer vertices where nothing moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.viewer.glb import Surface

_CELL = 0.006
"""Metres: what is merged lies in one cube of this size."""


def merge_still_vertices(surface: Surface) -> Surface:
    """Merge neighbours that no shape moves; what speaks keeps every vertex.

    Vertices are merged into the first one of their cube that looks the same way, so that thin sheets keep two sides.
    Triangles that have lost their area are left out.
    """
    moved = np.zeros(len(surface.points), bool)
    for offsets in surface.shapes.values():
        moved |= offsets.any(1)
    cells = np.round(surface.points / _CELL).astype(np.int64)
    sides = np.zeros_like(cells) if surface.normals is None else (surface.normals > 0).astype(np.int64)
    # A moving vertex is alone in its cell.
    alone = np.where(moved, np.arange(len(moved)), -1)
    _, first, group = np.unique(np.column_stack((cells, sides, alone)), axis=0, return_index=True, return_inverse=True)
    triangles = group.reshape(-1)[surface.triangles]
    kept = (np.diff(np.sort(triangles, axis=1), axis=1) > 0).all(1)
    return replace(
        surface,
        points=surface.points[first],
        normals=None if surface.normals is None else surface.normals[first],
        texels=None if surface.texels is None else surface.texels[first],
        triangles=triangles[kept].astype(np.uint32),
        shapes={name: offsets[first] for name, offsets in surface.shapes.items()},
    )

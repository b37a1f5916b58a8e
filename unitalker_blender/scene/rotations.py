"""Angles about three axes as quaternions. Knows nothing of Blender."""

from __future__ import annotations

import numpy as np


def quaternions(angles: np.ndarray) -> np.ndarray:
    """Rotations about x, then y, then z, as Blender's Euler order XYZ has them.

    Args:
        angles: radians, shape ``(frames, 3)``.

    Returns:
        w, x, y, z; shape ``(frames, 4)``, float32; neighbours never on opposite sides of the sphere, so that curves
        between them take the short way.
    """
    half = angles.astype(float) / 2
    (cx, cy, cz), (sx, sy, sz) = np.cos(half).T, np.sin(half).T
    turned = np.stack(
        [
            cx * cy * cz + sx * sy * sz,
            sx * cy * cz - cx * sy * sz,
            cx * sy * cz + sx * cy * sz,
            cx * cy * sz - sx * sy * cz,
        ],
        axis=1,
    )
    flips = np.cumprod(np.where((turned[1:] * turned[:-1]).sum(axis=1) < 0, -1.0, 1.0))
    turned[1:] *= flips[:, None]
    return turned.astype(np.float32)

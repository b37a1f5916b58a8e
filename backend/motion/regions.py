"""How strong each part of the face is, and its two sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.annotation import FaceMotion
from backend.motion.channels import columns_of, mirrored_pairs
from backend.motion.direction import Regions


def scale_regions(motion: FaceMotion, regions: Regions, upper_face: float = 1.0) -> FaceMotion:
    """Multiply blendshapes by the factor of their part of the face; `upper_face` acts on brows, eyes and cheeks.

    Channels whose name tells no part stay as they are, and so do heads without names.
    """
    factors = {
        "jaw": regions.jaw,
        "lips": regions.lips,
        "cheeks": regions.cheeks * upper_face,
        "brows": regions.brows * upper_face,
        "eyes": regions.eyes * upper_face,
    }
    if motion.annotation.kind != "blendshapes" or all(factor == 1 for factor in factors.values()):
        return motion
    gains = np.ones(motion.annotation.dim, np.float32)
    for region, factor in factors.items():
        gains[columns_of(motion.annotation.names, region)] = factor  # type: ignore[arg-type]
    return replace(motion, values=motion.values * gains)


def balance_sides(motion: FaceMotion, asymmetry: float) -> FaceMotion:
    """Multiply the difference between left and right: 1 is as it was, 0 symmetrical, -1 mirrored."""
    if motion.annotation.kind != "blendshapes" or asymmetry == 1:
        return motion
    pairs = np.array(mirrored_pairs(motion.annotation.names), np.intp).reshape(-1, 2)
    values = motion.values.copy()
    left, right = values[:, pairs[:, 0]], values[:, pairs[:, 1]]
    middle, difference = (left + right) / 2, (left - right) / 2 * np.float32(asymmetry)
    values[:, pairs[:, 0]], values[:, pairs[:, 1]] = middle + difference, middle - difference
    return replace(motion, values=values)

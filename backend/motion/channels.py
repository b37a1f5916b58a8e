"""Channels by name: which part of the face, which side, and how stages add to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from backend.annotation import Annotation, FaceMotion

Region = Literal["jaw", "lips", "cheeks", "brows", "eyes"]

HEAD_ANGLES = ("headPitch", "headYaw", "headRoll")
"""Radians about the axes of ARKit's face: pitch is positive down, yaw to the face's own left, roll to its own right."""

_REGION_BY_PREFIX: dict[str, Region] = {
    "jaw": "jaw",
    "tooth": "jaw",
    "tongue": "jaw",
    "mouth": "lips",
    "cheek": "cheeks",
    "nose": "cheeks",
    "brow": "brows",
    "eye": "eyes",
}
_SIDES = (("left", "right"), ("_l", "_r"))


def region_of(name: str) -> Region | None:
    """Part of the face that a blendshape moves, told by the beginning of its name; None when that tells nothing.

    ``mouthClose`` belongs to the jaw: it says how far the lips stay together under an open jaw, and grows with it.
    """
    lower = name.lower()
    if lower == "mouthclose":
        return "jaw"
    return next((region for prefix, region in _REGION_BY_PREFIX.items() if lower.startswith(prefix)), None)


def columns_of(names: Sequence[str], *regions: Region) -> np.ndarray:
    """Indices of the channels of some parts of the face."""
    return np.array([index for index, name in enumerate(names) if region_of(name) in regions], np.intp)


def column_of(annotation: Annotation, name: str) -> int | None:
    """Index of a channel by its ARKit name, whatever its capitals."""
    wanted = name.lower()
    return next((index for index, known in enumerate(annotation.names) if known.lower() == wanted), None)


def has_arkit_mouth(annotation: Annotation) -> bool:
    """Whether the channels are ARKit's blendshapes, at least those that open and close the mouth."""
    known = (column_of(annotation, name) for name in ("jawOpen", "mouthClose"))
    return annotation.kind == "blendshapes" and None not in known


def lip_opening(motion: FaceMotion) -> np.ndarray:
    """(frames,): how far the lips are apart, ``jawOpen - mouthClose``; of a head with ARKit's mouth."""
    jaw, close = column_of(motion.annotation, "jawOpen"), column_of(motion.annotation, "mouthClose")
    opening: np.ndarray = motion.values[:, jaw] - motion.values[:, close]
    return opening


def mirrored_pairs(names: Sequence[str]) -> list[tuple[int, int]]:
    """(left, right) indices of channels that are each other's mirror image."""
    index = {name.lower(): position for position, name in enumerate(names)}
    pairs = []
    for name, position in index.items():
        for left, right in _SIDES:
            partner = index.get(name.removesuffix(left) + right) if name.endswith(left) else None
            if partner is not None:
                pairs.append((position, partner))
    return pairs


def add_to_channels(motion: FaceMotion, additions: Mapping[str, np.ndarray]) -> FaceMotion:
    """Add (frames,) values to channels by their ARKit names; a channel that the head does not have is made."""
    known = {name: column_of(motion.annotation, name) for name in additions}
    missing = [name for name, column in known.items() if column is None]
    frames, width = motion.values.shape
    values = np.empty((frames, width + len(missing)), np.float32)
    values[:, :width] = motion.values
    values[:, width:] = 0
    for name, added in additions.items():
        column = known[name]
        values[:, width + missing.index(name) if column is None else column] += added
    if not missing:
        return replace(motion, values=values)
    names = (*motion.annotation.names, *missing)
    annotation = motion.annotation.model_copy(update={"names": names, "dim": len(names)})
    return replace(motion, values=values, annotation=annotation)


def smoothstep(share: np.ndarray) -> np.ndarray:
    """0 to 1 without a corner at either end."""
    inside = np.clip(share, 0, 1)
    eased: np.ndarray = inside * inside * (3 - 2 * inside)
    return eased

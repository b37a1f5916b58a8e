"""The gap between the lips and the width of the mouth, of faces given as vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MIDDLE = 0.25
"""Share of the mouth's width, to both sides of its middle, where lips are looked at: beyond, they touch."""


@dataclass(frozen=True)
class Lips:
    """Which vertices of a topology meet when the mouth closes.

    Attributes:
        one: int (P,), of one lip.
        other: int (P,), of the other lip, what each of these meets.
        corners: int (2,), the two ends of the mouth.
        across: float (3,), unit vector from the other lip to the one.
        side: float (3,), unit vector along the mouth.
    """

    one: np.ndarray
    other: np.ndarray
    corners: np.ndarray
    across: np.ndarray
    side: np.ndarray

    def gap(self, vertices: np.ndarray) -> np.ndarray:
        """(T,): mean distance between the lips, of faces (T, V, 3), in their unit; below 0 where lips press."""
        gap: np.ndarray = ((vertices[:, self.one] - vertices[:, self.other]) @ self.across).mean(axis=1)
        return gap

    def width(self, vertices: np.ndarray) -> np.ndarray:
        """(T,): distance between the corners of the mouth, of faces (T, V, 3), in their unit."""
        left, right = self.corners
        width: np.ndarray = np.abs((vertices[:, left] - vertices[:, right]) @ self.side)
        return width


def find_lips(displacement: np.ndarray, face: np.ndarray, lips: np.ndarray) -> Lips:
    """Tells upper from lower lip by their motion, and what of them meets by the face.

    Args:
        displacement: (T, V, 3), of a face that speaks.
        face: (V, 3), at rest; the mouth may be open.
        lips: int (L,), vertices that are lips, inner and outer.
    """
    side, up = face_axes(face, lips)
    along = (face[lips] - face[lips].mean(axis=0)) @ side
    middle = lips[np.abs(along) < _MIDDLE * np.ptp(along)]
    heights = displacement[:, middle] @ up
    heights = heights - heights.mean(axis=0)
    # What is common to both lips is the head, or the whole jaw; what is left takes them apart.
    apart = np.linalg.svd(heights - heights.mean(axis=1, keepdims=True), full_matrices=False)[2][0]
    one, other = middle[apart > 0], middle[apart <= 0]
    across = up * np.sign((face[one].mean(axis=0) - face[other].mean(axis=0)) @ up)
    return Lips(*_meeting(face, one, other), lips[[along.argmin(), along.argmax()]], across, side)


def face_axes(face: np.ndarray, mouth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors along the width and along the height of a face (V, 3); which end is which is left open.

    Whatever the axes of a data set: a mouth is widest from side to side, and across that a face is higher than deep.

    Args:
        face: at rest.
        mouth: int (M,), vertices of the mouth.
    """
    side = np.linalg.svd(face[mouth] - face[mouth].mean(axis=0), full_matrices=False)[2][0]
    centred = face - face.mean(axis=0)
    up = np.linalg.svd(centred - np.outer(centred @ side, side), full_matrices=False)[2][0]
    return side, up


def _meeting(face: np.ndarray, one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs that are each other's nearest."""
    distances = np.linalg.norm(face[one][:, None] - face[other][None], axis=-1)
    nearest, back = distances.argmin(axis=1), distances.argmin(axis=0)
    mutual = np.flatnonzero(back[nearest] == np.arange(len(one)))
    return one[mutual], other[nearest[mutual]]

"""Which vertex of a mesh is which vertex of a head, and how the head's axes and size become the mesh's."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from mathutils.kdtree import KDTree

from ..client.errors import UniTalkerError

Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""From y up and z forward, the axes of heads, to those of Blender."""

_OTHER_FACE = 0.3
"""Distance from the head, as a share of its size, up to which a mesh is another person in the same vertex order."""

_SAME_PLACE = 1e-3
"""As a share of the head's diagonal: vertices this near are the same one."""

_NEARLY_STRAIGHT = np.cos(np.radians(20.0))
"""Two faces never fit exactly, which looks like a turn of some degrees and is none."""


@dataclass(frozen=True)
class Fit:
    """How motion of a head becomes motion of a mesh.

    Attributes:
        rows: int (N,): vertex of the mesh → vertex of the head.
        turn: (3, 3): offsets of the head, metres → offsets in the mesh's own space, with its size.
    """

    rows: np.ndarray
    turn: np.ndarray

    def offsets(self, head: np.ndarray) -> np.ndarray:
        """Offsets of the head's vertices, (…, V, 3), as offsets of the mesh's, float32 (…, N, 3)."""
        return np.asarray(head[..., self.rows, :] @ self.turn.T, np.float32)


def fit_head(rest: np.ndarray, mesh: np.ndarray, name: str, head: str) -> Fit:
    """Find the head in a mesh: by the order of its vertices, else by their places.

    Args:
        rest: (V, 3), the head at rest.
        mesh: (N, 3), the mesh at rest.
        name: of the mesh, for the message.
        head: of the head, for the message.

    Raises:
        UniTalkerError: ``target.other_topology``.
    """
    fit = _by_order(rest, mesh) or _by_place(rest, mesh)
    if fit is None:
        same = "as many, but in another order and in other places" if len(rest) == len(mesh) else f"{len(rest)}"
        raise UniTalkerError(
            "target.other_topology",
            f"'{name}' is not made of the vertices of the head '{head}': it has {len(mesh)}, the head has {same}.",
            "Choose a mesh with the head's own topology, or let a new mesh be made.",
        )
    return fit


def _by_order(rest: np.ndarray, mesh: np.ndarray) -> Fit | None:
    """Kabsch's rotation and the scale between corresponding points (Umeyama 1991, equations 39 to 43)."""
    if len(rest) != len(mesh) or len(rest) < 3:
        return None
    source, target = rest - rest.mean(0), mesh - mesh.mean(0)
    left, strength, right = np.linalg.svd(target.T.astype(np.float64) @ source)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    scale = float((strength * signs).sum() / max(np.square(source).sum(), 1e-30))
    rotation = _straightened(left * signs @ right)
    distance = np.linalg.norm(target - scale * source @ rotation.T)
    if distance > _OTHER_FACE * np.linalg.norm(target):
        return None
    return Fit(np.arange(len(mesh)), scale * rotation)


def _straightened(rotation: np.ndarray) -> np.ndarray:
    """The rotation that maps axes to axes, when one is near."""
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            straight: np.ndarray = np.eye(3)[list(order)] * np.array(signs)[:, None]
            # The trace of R1ᵀ R2 is 1 + 2 cos of the angle between the two.
            cosine = (np.trace(straight.T @ rotation) - 1) / 2
            if np.linalg.det(straight) > 0 and cosine > _NEARLY_STRAIGHT:
                return straight
    return rotation


def _by_place(rest: np.ndarray, mesh: np.ndarray) -> Fit | None:
    """For meshes that lost the order: glTF splits vertices where texture or normals have a seam."""
    if not len(mesh):
        return None
    low, high = mesh.min(0), mesh.max(0)
    diagonal = float(np.linalg.norm(high - low))
    for axes in (Z_UP, np.eye(3)):
        turned = rest @ axes.T
        size = float(np.linalg.norm(np.ptp(turned, axis=0)))
        scale = diagonal / size if size else 1.0
        placed = turned * scale
        placed += (low + high) / 2 - (placed.min(0) + placed.max(0)) / 2
        rows = _nearest(placed, mesh, _SAME_PLACE * diagonal)
        if rows is not None:
            return Fit(rows, scale * axes)
    return None


def _nearest(points: np.ndarray, wanted: np.ndarray, tolerance: float) -> np.ndarray | None:
    tree = KDTree(len(points))
    for index, point in enumerate(points.tolist()):
        tree.insert(point, index)
    tree.balance()
    rows = np.empty(len(wanted), np.intp)
    for index, point in enumerate(wanted.tolist()):
        _, row, distance = tree.find(point)
        if distance is None or distance > tolerance:
            return None
        rows[index] = row
    return rows

"""Lips measured on a face mesh, and the blendshape weights that follow from them.

MediaPipe estimates weights and mesh from the same video, but some of its weights hardly move: measured on ten GRID
speakers, ``mouthFunnel``, ``mouthRollLower`` and ``mouthUpperUp`` stay below 0.02, and p, b and m are told from other
sounds better by the gap of the mesh's lips than by ``jawOpen - mouthClose``. So these are taken from the mesh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MEDIAPIPE_VERTICES = 468

# Vertices of MediaPipe's face mesh, near the middle of each edge.
_UPPER_EDGE, _LOWER_EDGE, _LOWER_BORDER = (13, 82, 312), (14, 87, 317), (17, 84, 314)
_CORNERS = (61, 291)
_HEIGHT = 1

# Weight 1 in widths of the mouth, from the project's own head: its lower lip rolls, and its upper lip lifts, by 5 mm
# at a width of 55 mm; MediaPipe's lower lip grows by a tenth of the width at most, which is a strong funnel of 0.5.
_ROLL, _LIFT, _FUNNEL = 0.09, 0.09, 0.18
_CONTACT = 0.01
"""Widths of the mouth; MediaPipe's lips do not meet more closely."""

_RESTING_SHARE = 0.2

DERIVED = ("jawOpen", "mouthClose", "mouthFunnel", "mouthRollLower", "mouthUpperUpLeft", "mouthUpperUpRight")
"""Weights that `derived_weights` changes."""


@dataclass(frozen=True)
class LipShape:
    """Lips in each frame, relative to the resting face and in widths of its mouth; each (T,).

    Attributes:
        gap: between the edges, absolute: 0 where the lips meet.
        middle: height of the line between the edges: it falls when the jaw opens, and rises when the lower lip goes up
            to the teeth.
        upper: height of the upper lip's edge.
        fullness: height of the lower lip's red, which grows when the lips turn out.
    """

    gap: np.ndarray
    middle: np.ndarray
    upper: np.ndarray
    fullness: np.ndarray


@dataclass(frozen=True)
class LipFit:
    """How weights and mesh of a face go together.

    Attributes:
        opening: ``jawOpen - mouthClose`` per gap.
        lowering: fall of the middle per gap.
    """

    opening: float
    lowering: float


def lips_of(vertices: np.ndarray) -> np.ndarray:
    """float64 (T, 5, 3): upper edge, lower edge, lower border and both corners of meshes (T, 468, 3)."""
    edges = [vertices[:, list(edge)].mean(1) for edge in (_UPPER_EDGE, _LOWER_EDGE, _LOWER_BORDER)]
    return np.stack([*edges, *(vertices[:, corner] for corner in _CORNERS)], axis=1).astype(np.float64)


def lip_shape(lips: np.ndarray, rest: np.ndarray) -> LipShape:
    """Shape of lips.

    Args:
        lips: (T, 5, 3) from `lips_of`, with y upwards.
        rest: (5, 3) of the resting face.
    """
    width = float(np.linalg.norm(rest[3] - rest[4]))
    upper, lower, border = ((lips[:, i, _HEIGHT] - rest[i, _HEIGHT]) / width for i in range(3))
    return LipShape(lip_gap(lips) / width, (upper + lower) / 2, upper, lower - border)


def lip_gap(lips: np.ndarray) -> np.ndarray:
    """(T,): distance of the edges of lips (T, 5, 3), in the unit of the mesh."""
    gap: np.ndarray = lips[:, 0, _HEIGHT] - lips[:, 1, _HEIGHT]
    return gap


def resting_lips(lips: np.ndarray) -> np.ndarray:
    """(5, 3): lips of a resting face from frames (T, 5, 3) in which nobody speaks.

    Many wait for their turn with the mouth open, so only the fifth of the frames with the smallest gap counts.
    """
    gap = lip_gap(lips)
    median: np.ndarray = np.median(lips[gap <= np.quantile(gap, _RESTING_SHARE)], axis=0)
    return median


def fit_lips(shapes: Sequence[LipShape], openings: Sequence[np.ndarray]) -> LipFit:
    """Fits all frames by least squares.

    Args:
        shapes: of clips.
        openings: ``jawOpen - mouthClose`` of the same frames, relative to rest.
    """
    gap = np.concatenate([_opened(shape) for shape in shapes])
    power = max(float(gap @ gap), 1e-12)
    opening = float(gap @ np.concatenate(openings)) / power
    lowering = -float(gap @ np.concatenate([shape.middle for shape in shapes])) / power
    return LipFit(max(opening, 0.0), max(lowering, 0.0))


def derived_weights(weights: np.ndarray, names: Sequence[str], shape: LipShape, fit: LipFit) -> np.ndarray:
    """The weights with those of `DERIVED` taken from the lips.

    ``mouthClose`` is what is left of ``jawOpen`` when the gap of the lips is taken off; lips that are further apart
    than the jaw says open it.

    Args:
        weights: (T, C) relative to rest.
        names: of the C channels, with all of `DERIVED`.
        shape: of the same frames.
        fit: of this face.

    Returns:
        float32 (T, C), within 0 to 1 where derived.
    """
    index = {name: names.index(name) for name in DERIVED}
    result = weights.astype(np.float64)
    opened = fit.opening * _opened(shape)
    jaw = np.clip(np.maximum(weights[:, index["jawOpen"]], opened), 0, 1)
    result[:, index["jawOpen"]] = jaw
    result[:, index["mouthClose"]] = np.clip(jaw - opened, 0, 1)
    result[:, index["mouthFunnel"]] = np.clip(shape.fullness / _FUNNEL, 0, 1)
    result[:, index["mouthRollLower"]] = np.clip((shape.middle + fit.lowering * _opened(shape)) / _ROLL, 0, 1)
    for name in ("mouthUpperUpLeft", "mouthUpperUpRight"):
        result[:, index[name]] = np.clip(shape.upper / _LIFT, 0, 1)
    return result.astype(np.float32)


def _opened(shape: LipShape) -> np.ndarray:
    return np.maximum(shape.gap - _CONTACT, 0.0)

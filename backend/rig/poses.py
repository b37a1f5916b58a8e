"""ARKit motion as a mixture of a convention's poses: visemes and vowels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backend.rig.conventions import Convention, lip_metric
from backend.rig.nonnegative import solve_nonnegative


def solve_poses(convention: Convention, arkit: Mapping[str, np.ndarray], frames: int) -> dict[str, np.ndarray]:
    """Weights of the channels that have a pose, each float64 ``(frames,)``.

    The mixture is the one whose lips are nearest to those of the ARKit weights, each pose between 0 and 1 and all
    together at most 1: beyond that the shapes of most heads tear. What ``jawOpen`` opens and ``mouthClose`` closes
    again is taken into account, as both move the same lips.

    Args:
        arkit: ARKit shape → weights ``(frames,)``; shapes that are not there are taken as 0.
    """
    basis, wanted, metric = lip_shapes(convention, arkit, frames)
    weights = solve_nonnegative(basis.T @ metric @ basis, basis.T @ metric @ wanted)
    weights /= np.maximum(1, weights.sum(axis=0))
    return dict(zip(posed_channels(convention), weights, strict=True))


def posed_channels(convention: Convention) -> list[str]:
    """The channels that have a pose."""
    return [name for name, channel in convention.channels.items() if channel.pose]


def lip_shapes(
    convention: Convention, arkit: Mapping[str, np.ndarray], frames: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Poses ``(shapes, poses)`` and motion ``(shapes, frames)`` in the shapes of the lip metric, and that metric."""
    shapes, metric = lip_metric()
    poses = [convention.channels[name].pose for name in posed_channels(convention)]
    basis = np.array([[pose.get(shape, 0.0) for pose in poses] for shape in shapes])
    wanted = np.zeros((len(shapes), frames))
    for row, shape in enumerate(shapes):
        if shape in arkit:
            wanted[row] = arkit[shape]
    return basis, wanted, metric

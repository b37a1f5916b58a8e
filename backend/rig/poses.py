"""ARKit motion as a mixture of a convention's poses: visemes, vowels, mouth drawings."""

from __future__ import annotations

import numpy as np

from backend.rig.conventions import Convention, lip_metric
from backend.rig.nonnegative import solve_nonnegative

REST_BELOW = 0.15
HOLD = 0.08
"""Seconds for which a mouth drawing stays: two pictures of a film."""


def solve_poses(convention: Convention, arkit: dict[str, np.ndarray], frames: int, fps: float) -> dict[str, np.ndarray]:
    """Weights of the channels that have a pose, each float64 ``(frames,)``.

    The mixture is the one whose lips are nearest to those of the ARKit weights, each pose between 0 and 1 and all
    together at most 1: beyond that the shapes of most heads tear. What ``jawOpen`` opens and ``mouthClose`` closes
    again is taken into account, as both move the same lips.

    Args:
        arkit: ARKit shape → weights ``(frames,)``; shapes that are not there are taken as 0.
    """
    names = [name for name, channel in convention.channels.items() if channel.pose]
    shapes, metric = lip_metric()
    basis = np.array([[convention.channels[name].pose.get(shape, 0.0) for name in names] for shape in shapes])
    wanted = np.zeros((len(shapes), frames))
    for row, shape in enumerate(shapes):
        if shape in arkit:
            wanted[row] = arkit[shape]
    weights = solve_nonnegative(basis.T @ metric @ basis, basis.T @ metric @ wanted)
    weights /= np.maximum(1, weights.sum(axis=0))
    if convention.method == "one at a time":
        weights = _strongest(weights, max(2, round(HOLD * fps)))
    solved = dict(zip(names, weights, strict=True))
    rest = 1 - np.minimum(1, weights.sum(axis=0))
    return solved | {name: rest for name, channel in convention.channels.items() if channel.rest}


def _strongest(weights: np.ndarray, hold: int) -> np.ndarray:
    """1 for the strongest pose of each frame and 0 for the others, each choice for `hold` frames at least.

    What is chosen is the pose that is strongest over the frames for which it will be held, rest being one of them.
    """
    frames = weights.shape[1]
    with_rest = np.vstack([weights, np.full((1, frames), REST_BELOW)])
    ends = np.minimum(np.arange(frames) + hold, frames)
    totals = np.concatenate([np.zeros((len(with_rest), 1)), np.cumsum(with_rest, axis=1)], axis=1)
    best = (totals[:, ends] - totals[:, :frames]).argmax(axis=0)
    shown = np.empty(frames, np.intp)
    current, held = best[0] if frames else 0, 0
    for frame in range(frames):
        if best[frame] != current and held >= hold:
            current, held = best[frame], 0
        shown[frame] = current
        held += 1
    chosen: np.ndarray = shown == np.arange(len(weights))[:, None]
    return chosen.astype(float)

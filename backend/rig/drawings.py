"""ARKit motion as mouth drawings, of which one is shown at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backend.rig.conventions import Convention
from backend.rig.poses import lip_shapes, posed_channels

HOLD = 0.08
"""Seconds for which a drawing stays: two pictures of a film."""
_WIDE = 95
"""Percentile of a take's mouth that counts as its widest, which is drawn as the largest drawing."""
_MOST_WIDENED = 2.5
"""A mouth that hardly moves stays at rest."""
_TONGUE = "tongueOut"
_TONGUE_SEEN = 0.05


def choose_drawings(
    convention: Convention, arkit: Mapping[str, np.ndarray], frames: int, fps: float, closures: np.ndarray
) -> dict[str, np.ndarray]:
    """1 for the drawing that each frame shows and 0 for the others: channel → float64 ``(frames,)``.

    It is the one whose lips are nearest over the time for which it will be held, rest being one of them. Closed lips
    look alike at rest and in p, b and m, and speech shuts them for less time than a drawing is held: so the drawing
    of closed lips is shown at the `closures`, and nowhere else. One with the tongue is shown when that is out.

    Args:
        arkit: ARKit shape → weights ``(frames,)``; shapes that are not there are taken as 0.
        closures: (n,), seconds at which the lips come together for p, b or m.
    """
    posed = posed_channels(convention)
    names = [*posed, *(name for name, channel in convention.channels.items() if channel.rest)]
    hold = max(2, round(HOLD * fps))
    distances = _distances(*lip_shapes(convention, arkit, frames))
    shut = [convention.channels[name].closure for name in posed]
    distances[:-1][shut] = np.inf
    with_tongue = np.array([_TONGUE in convention.channels[name].pose for name in posed])
    hidden = arkit.get(_TONGUE, np.zeros(frames)) < _TONGUE_SEEN
    distances[:-1][np.ix_(np.flatnonzero(with_tongue), np.flatnonzero(hidden))] = np.inf
    forced = np.full(frames, -1)
    for time in closures if any(shut) else ():
        start = round(time * fps) - (hold - 1) // 2
        forced[max(0, start) : start + hold] = shut.index(True)
    shown = _hold(_nearest(distances, hold), forced, hold)
    return {name: (shown == i).astype(float) for i, name in enumerate(names)}


def _distances(basis: np.ndarray, wanted: np.ndarray, metric: np.ndarray) -> np.ndarray:
    """(poses + 1, frames): squared, of each pose and of rest, less the motion's own length, the same for all."""
    gram, moments = basis.T @ metric @ basis, basis.T @ metric @ wanted
    lengths = np.sqrt(np.einsum("if,ij,jf->f", wanted, metric, wanted))
    widest = max(float(np.percentile(lengths, _WIDE)) if lengths.size else 0.0, 1e-9)
    gain = np.clip(np.sqrt(np.diag(gram).max()) / widest, 1.0, _MOST_WIDENED)
    distances = np.zeros((len(gram) + 1, moments.shape[1]))
    distances[:-1] = np.diag(gram)[:, None] - 2 * gain * moments
    return distances


def _nearest(distances: np.ndarray, hold: int) -> np.ndarray:
    """(frames,): row with the smallest mean over a frame and those after it, `hold` in all."""
    padded = np.pad(distances, ((0, 0), (0, hold - 1)), mode="edge") if distances.size else distances
    windows = np.lib.stride_tricks.sliding_window_view(padded, hold, axis=1) if distances.size else padded[..., None]
    return np.asarray(windows.mean(axis=2).argmin(axis=0))


def _hold(nearest: np.ndarray, forced: np.ndarray, hold: int) -> np.ndarray:
    """(frames,): `nearest`, each choice for `hold` frames at least; where `forced` is not -1, that."""
    shown = np.empty(len(nearest), np.intp)
    current, held = nearest[0] if len(nearest) else 0, hold
    for frame in range(len(nearest)):
        wanted, free = nearest[frame], held >= hold
        if forced[frame] >= 0:
            wanted, free = forced[frame], True
        elif (forced[frame : frame + hold] >= 0).any():
            free = False  # what a closure would cut short is not begun
        if wanted != current and free:
            current, held = wanted, 0
        shown[frame] = current
        held += 1
    return shown

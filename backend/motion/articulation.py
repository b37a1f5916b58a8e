"""Lips: how clearly they move, and that they close where they should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.annotation import FaceMotion
from backend.motion.channels import add_to_channels, column_of, has_arkit_mouth, lip_opening, smoothstep

_NEARLY_CLOSED = 0.22
"""Share of a speaker's wide opening (90th percentile) below which lips count as meant to be closed. Measured on real
sentences with phone times: of 29 p, b and m the bundled model's closures tell 27, and no other phone."""
_DEEP = 0.15
"""Share of the wide opening that the lips have to leave on both sides of a closure, or else it is a rest."""
_TUCKED = 0.18
"""Lower lip roll by which f and v are told from p, b and m: above the speaker's median, as a share of wide."""
_REACH = 0.24
_EASE = 0.1
"""Seconds in which lips come together, and part again."""
_PRESS = 0.12
_LIP_SHAPES = ("Funnel", "Pucker", "Stretch", "Smile", "Dimple", "LowerDown", "UpperUp", "Frown")


def articulate(motion: FaceMotion, gain: float) -> FaceMotion:
    """Move the lips further from the closed mouth (or less far), which itself stays as closed as it was.

    Args:
        motion: of a head with ARKit's mouth; others stay as they are.
        gain: factor on what goes beyond nearly closed lips.
    """
    if gain == 1 or not has_arkit_mouth(motion.annotation):
        return motion
    opening = lip_opening(motion)
    knee = _NEARLY_CLOSED * _wide(opening)
    values = motion.values.copy()
    values[:, column_of(motion.annotation, "jawOpen")] += np.float32(gain - 1) * np.maximum(opening - knee, 0)
    parted = np.clip(opening / max(knee, 1e-6), 0, 1)
    shapes = [i for i, name in enumerate(motion.annotation.names) if any(part in name for part in _LIP_SHAPES)]
    values[:, shapes] *= (1 + np.float32(gain - 1) * parted)[:, None]
    return replace(motion, values=values)


def find_closures(motion: FaceMotion) -> np.ndarray:
    """(n,), seconds: where the lips come together for p, b or m, as the network's own curves tell.

    A closure is a low and narrow minimum of the opening without the lower lip's roll that f and v have.
    """
    frames = len(motion.values)
    if frames < 3 or not has_arkit_mouth(motion.annotation):
        return np.zeros(0)
    opening = lip_opening(motion)
    wide = _wide(opening)
    low = (opening[1:-1] <= opening[:-2]) & (opening[1:-1] < opening[2:]) & (opening[1:-1] < _NEARLY_CLOSED * wide)
    candidates = np.flatnonzero(low) + 1
    reach = max(1, round(_REACH * motion.fps))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(opening, reach, mode="edge"), reach + 1).max(axis=1)
    around = np.minimum(windows[candidates], windows[candidates + reach])
    deep = around - opening[candidates] >= _DEEP * wide
    roll = column_of(motion.annotation, "mouthRollLower")
    if roll is not None:
        lower = motion.values[:, roll]
        deep &= lower[candidates] - np.median(lower) < _TUCKED * wide
    return np.asarray(candidates[deep] / motion.fps)


def closure_weight(closures: np.ndarray, frames: int, fps: float) -> np.ndarray:
    """(frames,), float32: 1 where lips are to be closed, at one frame at least per closure, falling to 0 around it."""
    times = np.arange(frames) / fps
    weight = np.zeros(frames)
    reach = 0.5 / fps + _EASE
    for time in closures:
        near = slice(*np.searchsorted(times, (time - reach, time + reach)))
        distance = np.abs(times[near] - time)
        weight[near] = np.maximum(weight[near], smoothstep(1 - (distance - 0.5 / fps) / _EASE))
    return weight.astype(np.float32)


def close_lips(motion: FaceMotion, weight: np.ndarray, share: float) -> FaceMotion:
    """Drive the lips together, under the jaw as it is; they press a little, as sounding lips do.

    Args:
        motion: of a head with ARKit's mouth; others stay as they are.
        weight: (frames,), from `closure_weight`.
        share: 0 changes nothing, 1 is fully shut.
    """
    if share == 0 or not has_arkit_mouth(motion.annotation):
        return motion
    shut = np.float32(share) * weight
    gap = np.maximum(lip_opening(motion), 0)
    values = motion.values.copy()
    parting = [i for i, name in enumerate(motion.annotation.names) if "LowerDown" in name or "UpperUp" in name]
    values[:, parting] *= (1 - shut)[:, None]
    closed = replace(motion, values=values)
    press = _PRESS * shut
    return add_to_channels(closed, {"mouthClose": shut * gap, "mouthPressLeft": press, "mouthPressRight": press})


def open_mouth(motion: FaceMotion, weight: np.ndarray, offset: float) -> FaceMotion:
    """Add to the opening of the jaw, except where the lips are to be closed.

    Args:
        motion: of a head with ARKit's mouth; others stay as they are.
        weight: (frames,), from `closure_weight`.
        offset: in weights; below 0 closes.
    """
    if offset == 0 or not has_arkit_mouth(motion.annotation):
        return motion
    wanted = np.float32(offset) * (1 - weight)
    # A jaw that closes takes the lips along, but not through each other.
    return add_to_channels(motion, {"jawOpen": np.maximum(wanted, -np.maximum(lip_opening(motion), 0))})


def _wide(opening: np.ndarray) -> float:
    return max(float(np.percentile(opening, 90)), 1e-6)

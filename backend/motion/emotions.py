"""Expressions on top of the speech."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from backend.annotation import FaceMotion
from backend.motion.channels import add_to_channels, column_of, region_of
from backend.motion.direction import Emotion, EmotionPose

POSES_FILE = Path(__file__).resolve().parents[2] / "assets" / "emotions" / "poses.json"

_YIELDS_TO_CLOSURE = 0.7
"""Share of an expression's mouth that gives way to lips that close; what opens the jaw gives way as a whole."""
_YIELDS_TO_ROUNDING = 0.8
_WIDENING = ("mouthSmile", "mouthStretch", "mouthFrown", "mouthDimple", "mouthUpperUp", "mouthLowerDown")


def add_emotions(motion: FaceMotion, emotions: Sequence[EmotionPose], closures: np.ndarray) -> FaceMotion:
    """Add expressions; in the mouth they give way to closed and to rounded lips, so that the words stay readable.

    Args:
        motion: of an ARKit head.
        emotions: those that are on count.
        closures: (frames,), from `closure_weight`.
    """
    active = [pose for pose in emotions if pose.on]
    if not active:
        return motion
    times = np.arange(len(motion.values)) / motion.fps
    rounded = _rounding(motion)
    additions: dict[str, np.ndarray] = {}
    for pose in active:
        strength = pose_strength(pose, times)
        shares = {"brows": pose.brows, "eyes": pose.eyes, "cheeks": pose.eyes}
        for name, weight in emotion_poses()[pose.emotion].items():
            added = shares.get(region_of(name) or "", pose.mouth) * weight * strength
            added = added * _room(name, closures, rounded)
            additions[name] = additions[name] + added if name in additions else added
    return add_to_channels(motion, additions)


def pose_strength(pose: EmotionPose, times: np.ndarray) -> np.ndarray:
    """(frames,): the weight at times in seconds, between its keys if it has any."""
    if not isinstance(pose.weight, tuple):
        return np.full(len(times), pose.weight)
    keys = np.array(pose.weight)
    return np.asarray(np.interp(times, keys[:, 0], keys[:, 1]))


@cache
def emotion_poses() -> Mapping[Emotion, Mapping[str, float]]:
    """ARKit weights of every expression at its full strength, from ``assets/emotions/poses.json``."""
    poses = json.loads(POSES_FILE.read_text(encoding="utf-8"))["poses"]
    return {emotion: pose["weights"] for emotion, pose in poses.items()}


def _rounding(motion: FaceMotion) -> np.ndarray:
    columns = [column_of(motion.annotation, name) for name in ("mouthPucker", "mouthFunnel")]
    rounding = sum((motion.values[:, column] for column in columns if column is not None), np.zeros(len(motion.values)))
    return np.clip(rounding, 0, 1)


def _room(name: str, closures: np.ndarray, rounded: np.ndarray) -> np.ndarray | float:
    """Share of a channel's expression that the words leave."""
    if name == "jawOpen":
        return 1 - closures
    if name.startswith(_WIDENING):
        return (1 - _YIELDS_TO_CLOSURE * closures) * (1 - _YIELDS_TO_ROUNDING * rounded)
    return 1.0

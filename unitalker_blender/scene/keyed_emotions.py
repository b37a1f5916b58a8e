"""Emotions whose weights somebody keyed, as the curves that the backend takes."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from .. import compat
from ..settings.direction import EMOTIONS, values_of
from .curve_keys import evaluate, read
from .decimation import within_error

_ERROR = 0.002  # of a weight


def with_keyed_emotions(
    target: bpy.types.Object, direction: dict[str, Any], frame_start: int, fps: float
) -> dict[str, Any]:
    """`direction`, with ``[[seconds, weight], …]`` instead of a number for the emotions that are keyed.

    Args:
        frame_start: scene frame at second 0.
    """
    settings = target.unitalker.direction.emotions
    animation = target.animation_data
    if animation is None or animation.action is None or not settings.on:
        return direction
    slot = compat.assigned_slot(animation)
    if compat.HAS_SLOTS and not slot:
        return direction
    fcurves = compat.action_fcurves(animation.action, slot)
    poses = {pose["emotion"]: pose for pose in direction["emotions"]}
    for name in EMOTIONS:
        fcurve = fcurves.find(f"unitalker.direction.emotions.{name}.weight")
        if fcurve is not None and len(fcurve.keyframe_points):
            curve = _curve(fcurve, frame_start, fps)
            poses[name] = {"emotion": name, **values_of(getattr(settings, name)), "weight": curve}
    return direction | {"emotions": [poses[name] for name in EMOTIONS if name in poses]}


def _curve(fcurve: bpy.types.FCurve, frame_start: int, fps: float) -> list[list[float]]:
    """From the first to the last key, with as few points as keep the shape of what is between them."""
    keyed = read(fcurve)[:, 0]
    frames = np.arange(int(np.floor(keyed.min())), int(np.ceil(keyed.max())) + 1)
    values = np.clip(evaluate(fcurve, frames), 0.0, 1.0)
    chosen = within_error(values, _ERROR)
    seconds = (frames[chosen] - frame_start) / fps
    return [
        [round(at, 6), round(value, 4)] for at, value in zip(seconds.tolist(), values[chosen].tolist(), strict=True)
    ]

"""The keys of one f-curve as arrays: read, replaced within a range, put back, and known again.

Keys are never inserted one by one, which takes quadratic time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import bpy
import numpy as np

Interpolation = Literal["LINEAR", "BEZIER"]

_INTERPOLATIONS: Mapping[Interpolation, int] = {"LINEAR": 1, "BEZIER": 2}  # of the enum Keyframe.interpolation

_NEWTON_STEPS = 5  # auto-clamped handles make time nearly linear: after three nothing changes any more

# Everything that makes up a key, and how many numbers of which kind it takes.
_ATTRIBUTES: tuple[tuple[str, int, type], ...] = (
    ("co", 2, np.float32),
    ("handle_left", 2, np.float32),
    ("handle_right", 2, np.float32),
    ("handle_left_type", 1, np.int32),
    ("handle_right_type", 1, np.int32),
    ("interpolation", 1, np.int32),
    ("easing", 1, np.int32),
    ("type", 1, np.int32),
    ("amplitude", 1, np.float32),
    ("back", 1, np.float32),
    ("period", 1, np.float32),
    ("select_control_point", 1, np.bool_),
    ("select_left_handle", 1, np.bool_),
    ("select_right_handle", 1, np.bool_),
)


@dataclass(frozen=True)
class CurveKeys:
    """All keys of an f-curve: attribute → array of shape ``(keys, numbers)``."""

    attributes: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, fcurve: bpy.types.FCurve) -> CurveKeys:
        """Read them."""
        return cls({name: _get(fcurve, name, width, kind) for name, width, kind in _ATTRIBUTES})

    @classmethod
    def values_of(cls, fcurve: bpy.types.FCurve) -> CurveKeys:
        """Read frames and values alone, which is enough where nothing else will be changed."""
        return cls({"co": read(fcurve)})

    def outside(self, first: float, last: float) -> CurveKeys:
        """Those before frame `first` or after frame `last`."""
        frames = self.attributes["co"][:, 0]
        keep = (frames < first) | (frames > last)
        return CurveKeys({name: values[keep] for name, values in self.attributes.items()})

    def put(self, fcurve: bpy.types.FCurve) -> None:
        """Make them the only keys of `fcurve`."""
        if len(self.attributes) > 1:
            fcurve.keyframe_points.clear()
            fcurve.keyframe_points.add(len(self.attributes["co"]))
        for name, values in self.attributes.items():
            fcurve.keyframe_points.foreach_set(name, values.ravel())
        fcurve.update()


def read(fcurve: bpy.types.FCurve) -> np.ndarray:
    """Frames and values of all keys, float32 of shape ``(keys, 2)``."""
    return _get(fcurve, "co", 2, np.float32)


def lie_on(fcurve: bpy.types.FCurve, keys: np.ndarray, span: tuple[int, int]) -> bool:
    """Whether `fcurve` has keys on the frames of `keys`, and no others, between the frames `span`."""
    frames = read(fcurve)[:, 0]
    return np.array_equal(frames[(frames >= span[0]) & (frames <= span[1])], keys[:, 0])


def replace(fcurve: bpy.types.FCurve, keys: np.ndarray, interpolation: Interpolation, span: tuple[int, int]) -> None:
    """Put `keys` where there were others between the frames `span`, both included; keys outside stay as they are.

    Where the keys there lie on the same frames already, only their values change: what somebody has made of their
    interpolation stays.

    Args:
        keys: frames and values, float32 of shape ``(keys, 2)``, all of them within `span`.
    """
    present = read(fcurve)
    inside = (present[:, 0] >= span[0]) & (present[:, 0] <= span[1])
    if np.array_equal(present[inside, 0], keys[:, 0]):
        present[inside] = keys
        fcurve.keyframe_points.foreach_set("co", present.ravel())
        fcurve.update()
        return
    others = CurveKeys.of(fcurve).outside(*span) if len(present) else None
    points = fcurve.keyframe_points
    points.clear()
    points.add(len(keys))
    points.foreach_set("co", keys.ravel())
    points.foreach_set("interpolation", np.full(len(keys), _INTERPOLATIONS[interpolation], np.int32))
    points.foreach_set("select_control_point", np.zeros(len(keys), np.bool_))
    if others is not None and len(others.attributes["co"]):
        _join(CurveKeys.of(fcurve), others).put(fcurve)
    else:
        fcurve.update()


def evaluate_bezier(fcurve: bpy.types.FCurve, frames: np.ndarray) -> np.ndarray:
    """As `evaluate`, for curves of which all keys are Bézier, many times faster for thousands of frames.

    Args:
        frames: within the keys.
    """
    keys = read(fcurve).astype(np.float64)
    if len(keys) < 2:
        return evaluate(fcurve, frames)
    right, left = (_get(fcurve, name, 2, np.float32).astype(np.float64) for name in ("handle_right", "handle_left"))
    segment = np.clip(np.searchsorted(keys[:, 0], frames, side="right") - 1, 0, len(keys) - 2)
    corners = np.stack([keys[:-1], right[:-1], left[1:], keys[1:]])[:, segment]  # (4, frames, 2)
    start, length = corners[0, :, 0], corners[3, :, 0] - corners[0, :, 0]
    wanted = (frames - start) / length
    time = wanted.copy()
    first, second = ((corners[i, :, 0] - start) / length for i in (1, 2))
    for _ in range(_NEWTON_STEPS):
        value = _cubic(time, 0.0, first, second, 1.0) - wanted
        slope = 3 * ((1 - time) ** 2 * first + 2 * (1 - time) * time * (second - first) + time**2 * (1 - second))
        time = np.clip(time - value / np.maximum(slope, 1e-6), 0.0, 1.0)
    return _cubic(time, *corners[:, :, 1]).astype(np.float32)


def evaluate(fcurve: bpy.types.FCurve, frames: np.ndarray) -> np.ndarray:
    """The curve's values at whole frames, float32 of shape ``(frames,)``."""
    value = fcurve.evaluate
    return np.array([value(frame) for frame in frames.tolist()], np.float32)


def digest(fcurve: bpy.types.FCurve, span: tuple[int, int]) -> str:
    """A short name of the keys between the frames `span`: another one when somebody has moved any of them."""
    keys = read(fcurve)
    inside = keys[(keys[:, 0] >= span[0]) & (keys[:, 0] <= span[1])]
    return hashlib.blake2b(inside.tobytes(), digest_size=8).hexdigest()


def _join(one: CurveKeys, other: CurveKeys) -> CurveKeys:
    order = np.argsort(np.concatenate([one.attributes["co"][:, 0], other.attributes["co"][:, 0]]), kind="stable")
    return CurveKeys(
        {name: np.concatenate([values, other.attributes[name]])[order] for name, values in one.attributes.items()}
    )


def _cubic(time: np.ndarray, a: Any, b: Any, c: Any, d: Any) -> np.ndarray:
    """A cubic Bézier curve's corners mixed at `time`."""
    rest = 1 - time
    return np.asarray(rest**3 * a + 3 * rest**2 * time * b + 3 * rest * time**2 * c + time**3 * d)


def _get(fcurve: bpy.types.FCurve, name: str, width: int, kind: type) -> np.ndarray:
    points = fcurve.keyframe_points
    values: np.ndarray = np.empty(width * len(points), kind)
    points.foreach_get(name, values)
    return values.reshape(-1, width)

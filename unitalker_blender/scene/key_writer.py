"""Face motion to keyframes on shape keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import bpy
import numpy as np

from .. import compat
from ..client.errors import UniTalkerError
from ..client.motion import Motion

_LINEAR = 1  # of the enum Keyframe.interpolation
_VISIBLE = 0.01  # a difference of a weight that one may see


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        action: the new Action, assigned to the shape keys.
        curves: shape key → weights, float32 of shape ``(frames,)``, as keyed from `frame_start` on.
        frame_start: scene frame of the first key.
        notes: what the user should know.
    """

    action: bpy.types.Action
    curves: Mapping[str, np.ndarray]
    frame_start: int
    notes: tuple[str, ...]

    @property
    def frame_end(self) -> int:
        """Scene frame of the last key."""
        return self.frame_start + len(next(iter(self.curves.values()))) - 1


def write_keys(
    key: bpy.types.Key, motion: Motion, keys: Mapping[str, tuple[str, ...]], frame_start: int, name: str
) -> Written:
    """Key the shape keys on whole frames in a new Action called `name`, and assign it.

    Frame ``i`` of the motion goes to scene frame ``frame_start + i``, so `motion` has the scene's frame rate. The
    Action assigned before is kept in the file. When anything fails, `key` is as before.

    Args:
        keys: channel of `motion` → shape keys that it drives.

    Raises:
        UniTalkerError: ``target.all_skipped`` when all shape keys are muted or driven.
    """
    usable, notes = _usable_blocks(key, keys)
    curves, clipped = _curves(key, motion, usable)
    if clipped:
        notes.append(f"cut at the slider's range: {_count(clipped)}")
    action, fcurves, slot = compat.new_fcurve_action(key, name)
    try:
        for block_name, values in curves.items():
            _write_curve(fcurves, key.key_blocks[block_name].path_from_id("value"), frame_start, values)
        previous = key.animation_data.action if key.animation_data else None
        compat.assign_action(key, action, slot)
    except BaseException:
        bpy.data.actions.remove(action)
        raise
    if previous is not None and previous.is_editable:
        previous.use_fake_user = True
    return Written(action, curves, frame_start, tuple(notes))


def _usable_blocks(key: bpy.types.Key, keys: Mapping[str, tuple[str, ...]]) -> tuple[dict[str, str], list[str]]:
    """Shape key → its channel for those that keys would move, and notes on the others."""
    driven = driven_keys(key)
    names = {block: channel for channel, blocks in keys.items() for block in blocks}
    muted = [name for name in names if key.key_blocks[name].mute]
    skipped = [name for name in names if name in driven and name not in muted]
    notes = []
    if muted:
        notes.append(f"left out because they are muted: {_count(muted)}")
    if skipped:
        notes.append(f"left out because drivers move them: {_count(skipped)}")
    usable = {name: channel for name, channel in names.items() if name not in muted and name not in skipped}
    if not usable:
        raise UniTalkerError(
            "target.all_skipped",
            f"No shape key of '{key.name}' can be animated: {'; '.join(notes)}.",
            "Turn on the muted shape keys, or remove the drivers from their values.",
        )
    return usable, notes


def driven_keys(key: bpy.types.Key) -> set[str]:
    """Names of shape keys whose value a driver sets."""
    if key.animation_data is None:
        return set()
    paths = {driver.data_path for driver in key.animation_data.drivers}
    return {block.name for block in key.key_blocks if block.path_from_id("value") in paths}


def _curves(key: bpy.types.Key, motion: Motion, usable: Mapping[str, str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Weights per shape key, cut at the slider's range as Blender would when it evaluates, and which were cut."""
    column = {name: i for i, name in enumerate(motion.names)}
    curves, clipped = {}, []
    for name, channel in usable.items():
        block = key.key_blocks[name]
        wanted = motion.values[:, column[channel]]
        curves[name] = np.clip(wanted, block.slider_min, block.slider_max)
        if np.abs(curves[name] - wanted).max() > _VISIBLE:
            clipped.append(name)
    return curves, clipped


def _write_curve(fcurves: bpy.types.bpy_prop_collection, path: str, frame_start: int, values: np.ndarray) -> None:
    """One f-curve with all its keys at once; inserting them one by one takes quadratic time."""
    fcurve = fcurves.new(path)
    points = fcurve.keyframe_points
    points.add(len(values))
    coordinates = np.empty((len(values), 2), np.float32)
    coordinates[:, 0] = np.arange(frame_start, frame_start + len(values))
    coordinates[:, 1] = values
    points.foreach_set("co", coordinates.ravel())
    points.foreach_set("interpolation", np.full(len(values), _LINEAR, np.int32))
    fcurve.update()


def _count(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown

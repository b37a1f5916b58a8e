"""Face motion as values of shape keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import bpy
import numpy as np

from ..client.errors import UniTalkerError
from ..client.motion import Motion
from .action_placement import OwnerRef
from .track_writer import Track

_VISIBLE = 0.01  # a difference of a weight that one may see


@dataclass(frozen=True)
class ShapeKeyTracks:
    """What moves the shape keys of one mesh.

    Attributes:
        tracks: within the sliders' ranges, as Blender would cut them when it evaluates.
        beyond: shape key → smallest and largest value that it would have without its slider's range.
        notes: what the user should know.
    """

    tracks: tuple[Track, ...]
    beyond: Mapping[str, tuple[float, float]]
    notes: tuple[str, ...]


def shape_key_tracks(key: bpy.types.Key, motion: Motion, keys: Mapping[str, tuple[str, ...]]) -> ShapeKeyTracks:
    """The values of the shape keys that can be keyed; those that are muted or driven are left out, with a note.

    Args:
        keys: channel of `motion` → shape keys that it drives.

    Raises:
        UniTalkerError: ``target.all_skipped`` when all shape keys are muted or driven.
    """
    usable, notes = _usable_blocks(key, keys)
    owner = OwnerRef.of(key)
    column = {name: i for i, name in enumerate(motion.names)}
    tracks, beyond = [], {}
    for name, channel in usable.items():
        block = key.key_blocks[name]
        wanted = motion.values[:, column[channel]]
        values = np.clip(wanted, block.slider_min, block.slider_max)
        tracks.append(Track(owner, block.path_from_id("value"), 0, name, values))
        if np.abs(values - wanted).max() > _VISIBLE:
            beyond[name] = (float(wanted.min()), float(wanted.max()))
    if beyond:
        notes.append(f"cut at the slider's range: {_count(list(beyond))}")
    return ShapeKeyTracks(tuple(tracks), beyond, tuple(notes))


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


def _count(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown

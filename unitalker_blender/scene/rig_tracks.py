"""Motion whose channels name their destinations, as what is written: shape keys of several meshes, bones, objects."""

from __future__ import annotations

from collections.abc import Mapping

import bpy
import numpy as np

from ..client.errors import UniTalkerError
from ..client.motion import Motion
from .action_placement import OwnerRef
from .rig_detection import some
from .rig_resolution import Destination
from .rig_rows import CHANNELS
from .rotations import quaternions
from .shape_key_tracks import ShapeKeyTracks, shape_key_tracks
from .track_writer import Track

_AXES = "xyz"


def rig_tracks(motion: Motion) -> ShapeKeyTracks:
    """What moves, for all meshes, bones and objects of a character.

    Raises:
        UniTalkerError: ``target.gone`` when the character was changed meanwhile, ``target.all_skipped`` when nothing
            of it can be keyed.
    """
    places = {name: place for name in motion.names if (place := Destination.parse(name)) is not None}
    keys, notes = _shape_keys(motion, {name: place for name, place in places.items() if place.kind == "SHAPE_KEY"})
    tracks = [track for found in keys for track in found.tracks]
    beyond = _widest(keys)
    notes += [note for found in keys for note in found.notes]
    controls: dict[tuple[str, int, str], dict[str, np.ndarray]] = {}
    for column, name in enumerate(motion.names):
        place = places.get(name)
        if place is not None and place.kind != "SHAPE_KEY":
            controls.setdefault((place.kind, place.uid, place.name), {})[place.channel] = motion.values[:, column]
    for (_kind, uid, bone), channels in controls.items():
        owner = OwnerRef("OBJECT", uid).find()
        moved, note = _control_tracks(owner, bone, channels)
        tracks += moved
        notes += [note] if note else []
    if not tracks:
        raise UniTalkerError(
            "target.all_skipped",
            f"Nothing of the character can be animated: {'; '.join(notes)}.",
            "Turn on muted shape keys, or remove the drivers.",
        )
    return ShapeKeyTracks(tuple(tracks), beyond, tuple(dict.fromkeys(notes)))


def _widest(keys: list[ShapeKeyTracks]) -> dict[str, tuple[float, float]]:
    """Shape key → the range that it needs, on whichever mesh it needs most."""
    widest: dict[str, tuple[float, float]] = {}
    for found in keys:
        for name, (low, high) in found.beyond.items():
            lowest, highest = widest.get(name, (low, high))
            widest[name] = (min(low, lowest), max(high, highest))
    return widest


def _shape_keys(motion: Motion, places: Mapping[str, Destination]) -> tuple[list[ShapeKeyTracks], list[str]]:
    """Tracks of each mesh; a mesh on which nothing can be keyed is a note."""
    found, notes = [], []
    for uid in dict.fromkeys(place.uid for place in places.values()):
        key = OwnerRef("KEY", uid).find()
        wanted = {name: (place.name,) for name, place in places.items() if place.uid == uid}
        gone = [blocks[0] for blocks in wanted.values() if blocks[0] not in key.key_blocks]
        if gone:
            notes.append(f"left out because they were renamed or deleted meanwhile: {some(gone)}")
        try:
            left = {name: blocks for name, blocks in wanted.items() if blocks[0] not in gone}
            found += [shape_key_tracks(key, motion, left)] if left else []
        except UniTalkerError as error:
            notes.append(error.message.removesuffix("."))
    return found, notes


def _control_tracks(owner: bpy.types.Object, bone: str, channels: Mapping[str, np.ndarray]) -> tuple[list[Track], str]:
    """Tracks of a bone, or of the object itself when `bone` is empty; and what was left out."""
    item = owner.pose.bones.get(bone) if bone and owner.pose else owner
    label = f"{owner.name}: {bone}" if bone else owner.name
    if item is None:
        return [], f"left out because it was renamed or deleted meanwhile: {label}"
    prefix = "" if bone else "delta_"  # so that where an object stands is kept
    turns = [name for name in CHANNELS[:3] if name in channels]
    if turns and item.rotation_mode == "AXIS_ANGLE":
        return [], f"left out because its rotation mode is Axis Angle: {label}"
    ref, tracks = OwnerRef.of(owner), []
    for name in (name for name in CHANNELS[3:] if name in channels):
        path = item.path_from_id(f"{prefix}location")
        tracks.append(Track(ref, path, _AXES.index(name[-1]), f"{label} {name}", channels[name]))
    if turns and item.rotation_mode == "QUATERNION":
        still = np.zeros_like(next(iter(channels.values())))
        turned = quaternions(np.stack([channels.get(name, still) for name in CHANNELS[:3]], axis=1))
        path = item.path_from_id(f"{prefix}rotation_quaternion")
        tracks += [Track(ref, path, i, f"{label} rotation", turned[:, i]) for i in range(4)]
    else:
        path = item.path_from_id(f"{prefix}rotation_euler")
        tracks += [Track(ref, path, _AXES.index(name[-1]), f"{label} {name}", channels[name]) for name in turns]
    free = [track for track in tracks if not _is_driven(owner, track)]
    return free, f"left out because drivers move it: {label}" if len(free) < len(tracks) else ""


def _is_driven(owner: bpy.types.Object, track: Track) -> bool:
    animation = owner.animation_data
    drivers = animation.drivers if animation is not None else ()
    return any(driver.data_path == track.path and driver.array_index == track.index for driver in drivers)

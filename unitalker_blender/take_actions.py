"""The Actions of a take: where its curves are, what was written there, and what somebody has made of it since."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import bpy

from . import compat
from .client.errors import UniTalkerError

if TYPE_CHECKING:
    from .scene.action_placement import Place
    from .scene.track_writer import Track, TrackWriter
    from .settings.takes import UniTalkerTake, UniTalkerTakeAction


def note_written(
    target: bpy.types.Object, take: UniTalkerTake, writer: TrackWriter, edited: Sequence[str] = (), whole: bool = True
) -> None:
    """Write down where the keys of a take are, and what they look like.

    Args:
        edited: names of curves whose keys somebody changed, which go on counting as changed.
        whole: whether all of the take was written, and not a part.
    """
    from .scene import curve_keys

    if whole:
        take.span_start, take.span_end = writer.span
    span = (take.span_start, take.span_end)
    for place in writer.places:
        entry = _entry(target, take, place)
        written = json.loads(entry.written or "{}")
        for track in writer.tracks:
            name = curve_name(track)
            if track.owner == place.owner and name not in edited:
                written[name] = writer.digest(track) if whole else curve_keys.digest(writer.fcurve(track), span)
        entry.written = json.dumps(written)


def places(target: bpy.types.Object, take: UniTalkerTake) -> tuple[Place, ...]:
    """Where the curves of a take are; UniTalkerError ``take.no_action`` when its Action was removed."""
    from .scene.action_placement import Assignment, OwnerRef, Place

    found = []
    for entry in take.actions:
        owner = owner_of(target, entry)
        if entry.action is None or owner is None:
            raise UniTalkerError(
                "take.no_action",
                f"The Action of the take '{take.name}' was removed.",
                "Delete the take, or press Animate to make another one.",
            )
        before = Assignment(
            OwnerRef.of(owner), entry.before.session_uid if entry.before is not None else None, entry.before_slot
        )
        found.append(Place(OwnerRef.of(owner), entry.action.session_uid, entry.slot, entry.made, entry.on_nla, before))
    return tuple(found)


def moved_shape_keys(target: bpy.types.Object, take: UniTalkerTake) -> list[bpy.types.Key]:
    """The shape keys of all meshes that a take moves and that can be changed."""
    owners = [owner_of(target, entry) for entry in take.actions]
    return [owner for owner in owners if isinstance(owner, bpy.types.Key) and owner.is_editable]


def edited_curves(target: bpy.types.Object, take: UniTalkerTake) -> tuple[str, ...]:
    """Names of the curves whose keys somebody moved, added or removed since they were written."""
    from .scene import curve_keys

    span = (take.span_start, take.span_end)
    edited = []
    for entry in take.actions:
        if entry.action is None:
            continue
        fcurves = compat.action_fcurves(entry.action, entry.slot)
        for name, written in json.loads(entry.written or "{}").items():
            path, _, index = name.rpartition("|")
            fcurve = fcurves.find(path, index=int(index))
            if fcurve is None or curve_keys.digest(fcurve, span) != written:
                edited.append(name)
    return tuple(edited)


def hear(target: bpy.types.Object, chosen: UniTalkerTake, owner: bpy.types.ID) -> None:
    """Of the NLA tracks of takes that speak at the same time, only those of `chosen` are heard."""
    heard = {entry.action for entry in chosen.actions}
    others = {
        entry.action
        for take in target.unitalker.takes
        for entry in take.actions
        if take.span_start <= chosen.span_end and take.span_end >= chosen.span_start
    }
    for track in owner.animation_data.nla_tracks if owner.animation_data else ():
        actions = {strip.action for strip in track.strips}
        if actions & (heard | others):
            track.mute = not actions & heard


def remove_action(target: bpy.types.Object, entry: UniTalkerTakeAction) -> None:
    """Remove an Action that was made for a take; what there was before the takes is assigned instead."""
    owner, action = owner_of(target, entry), entry.action
    if owner is not None and owner.animation_data is not None:
        for track in list(owner.animation_data.nla_tracks):
            if [strip.action for strip in track.strips] == [action]:
                owner.animation_data.nla_tracks.remove(track)
    before, slot = entry.before, entry.before_slot
    was_assigned = owner is not None and owner.animation_data is not None and owner.animation_data.action == action
    paths = {name.rpartition("|")[0] for name in json.loads(entry.written or "{}")}
    bpy.data.actions.remove(action)
    if owner is None or not was_assigned:
        return
    for path in paths:
        _rest(owner, path)
    if before is not None:
        compat.assign_action(owner, before, slot)


def _rest(owner: bpy.types.ID, path: str) -> None:
    """Let go of a number that is held where the last frame had it."""
    holder, _, name = path.rpartition(".")
    if isinstance(owner, bpy.types.Key):
        owner.path_resolve(holder).value = 0.0
        return
    moved = owner.path_resolve(holder) if holder else owner  # a bone, or the delta of an object
    declared = moved.bl_rna.properties[name]
    setattr(moved, name, tuple(declared.default_array) if declared.is_array else declared.default)


def curve_name(track: Track) -> str:
    """What a take calls the curve of a track: path, bar, index."""
    return f"{track.path}|{track.index}"


def owner_of(target: bpy.types.Object, entry: UniTalkerTakeAction) -> bpy.types.ID | None:
    """The data block that an Action of a take animates, None when it is gone."""
    animated = entry.owner or target
    if entry.kind == "OBJECT":
        return animated
    return animated.data.shape_keys if animated.type == "MESH" else None


def _entry(target: bpy.types.Object, take: UniTalkerTake, place: Place) -> UniTalkerTakeAction:
    """What a take knows of one data block, made when it is not there."""
    owner = place.owner.find()
    entry: UniTalkerTakeAction | None = next(
        (known for known in take.actions if owner_of(target, known) == owner), None
    )
    if entry is None:
        entry = take.actions.add()
        entry.kind = place.owner.kind
        animated = _object_of(target, owner)
        entry.owner = animated if animated != target else None
        entry.made, entry.on_nla = place.made, place.on_nla
        entry.before, entry.before_slot = place.before.action(), place.before.slot
    entry.action, entry.slot = place.action(), place.slot
    return entry


def _object_of(target: bpy.types.Object, owner: bpy.types.ID) -> bpy.types.Object:
    """The object that has the data block: `target` where it does."""
    if isinstance(owner, bpy.types.Object):
        return owner
    if target.type == "MESH" and target.data.shape_keys == owner:
        return target
    return next(item for item in bpy.data.objects if item.type == "MESH" and item.data.shape_keys == owner)

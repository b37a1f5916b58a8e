"""Takes: the performances of an object, each with its sound, its direction and its Actions."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from . import compat
from .client.errors import UniTalkerError
from .settings import direction as directions

if TYPE_CHECKING:
    from .animate_options import AnimateOptions
    from .client.protocol import Result
    from .scene.action_placement import Place
    from .scene.track_writer import Track, TrackWriter
    from .settings.takes import UniTalkerTake, UniTalkerTakeAction

_switching = False


def active(target: bpy.types.Object | None) -> UniTalkerTake | None:
    """The take that is played, None when there is none."""
    if target is None:
        return None
    face = target.unitalker
    return face.takes[face.active] if 0 <= face.active < len(face.takes) else None


def find(target: bpy.types.Object, uid: str) -> UniTalkerTake | None:
    """The take of that `uid`, None when it was deleted."""
    return next((take for take in target.unitalker.takes if take.uid == uid), None)


def index_of(target: bpy.types.Object, uid: str) -> int:
    """The place of a take in the list."""
    return [take.uid for take in target.unitalker.takes].index(uid)


def of_sound(target: bpy.types.Object, audio: Path) -> UniTalkerTake | None:
    """The take in which a sound was animated: the active one, else the last."""
    found = [take for take in target.unitalker.takes if Path(take.audio) == audio]
    current = active(target)
    return current if current in found else (found[-1] if found else None)


def new(target: bpy.types.Object, name: str) -> UniTalkerTake:
    """An empty take at the end of the list, which becomes the active one."""
    face = target.unitalker
    names = {take.name for take in face.takes}
    take: UniTalkerTake = face.takes.add()
    take.uid = uuid.uuid4().hex
    take.name = next(text for text in (name, *(f"{name} {i}" for i in range(2, len(names) + 3))) if text not in names)
    _set_active(target, len(face.takes) - 1)
    return take


def fill(take: UniTalkerTake, options: AnimateOptions, result: Result, fps: float, placement: dict[str, Any]) -> None:
    """Write down what a take was made from."""
    take.audio = str(options.subject)
    take.model, take.head, take.identity, take.identity_b = (
        options.model,
        result.head,
        result.identity,
        options.identity_b,
    )
    take.engine, take.device = result.engine, result.device
    take.raw, take.fps, take.frame_start = result.take, fps, options.frame_start
    take.preset = options.preset
    take.placement = json.dumps(placement)
    take.passages, take.edited = "[]", 0


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
                written[name] = curve_keys.digest(writer.fcurve(track), span)
        entry.written = json.dumps(written)


def places(target: bpy.types.Object, take: UniTalkerTake) -> tuple[Place, ...]:
    """Where the curves of a take are; UniTalkerError ``take.no_action`` when its Action was removed."""
    from .scene.action_placement import OwnerRef, Place

    found = []
    for entry in take.actions:
        owner = _owner(target, entry)
        if entry.action is None or owner is None:
            raise UniTalkerError(
                "take.no_action",
                f"The Action of the take '{take.name}' was removed.",
                "Delete the take, or press Animate to make another one.",
            )
        found.append(Place(OwnerRef.of(owner), entry.action.session_uid, entry.slot, entry.made))
    return tuple(found)


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


def chosen_in_list(target: bpy.types.Object) -> None:
    """The user clicked a take in the list."""
    take = active(target)
    if take is not None and not _switching:
        play(target, take)


def switch(target: bpy.types.Object, index: int) -> None:
    """Make a take the active one, and play it."""
    _set_active(target, index)
    play(target, target.unitalker.takes[index])


def play(target: bpy.types.Object, take: UniTalkerTake, sliders: bool = True) -> None:
    """Assign the Actions of a take, or hear its NLA tracks and no other take's, and set the sliders to its direction.

    Args:
        sliders: False leaves them as they are.
    """
    for entry in take.actions:
        owner = _owner(target, entry)
        if owner is None or entry.action is None:
            continue
        if _on_nla(take):
            _mute_tracks(target, take)
        else:
            compat.assign_action(owner, entry.action, entry.slot)
    if sliders and take.direction:
        directions.load(target.unitalker.direction, json.loads(take.direction))
        target.unitalker.direction.preset = take.preset


def duplicate(target: bpy.types.Object, index: int, sliders: bool = True) -> UniTalkerTake:
    """A copy of a take, with copies of its Actions, which is then played; `sliders` as in `play`."""
    copy = new(target, target.unitalker.takes[index].name)
    source = target.unitalker.takes[index]
    for prop in source.bl_rna.properties:
        if prop.identifier not in ("rna_type", "name", "uid", "actions"):
            setattr(copy, prop.identifier, getattr(source, prop.identifier))
    for entry in source.actions:
        other = copy.actions.add()
        other.owner, other.kind, other.slot, other.written = entry.owner, entry.kind, entry.slot, entry.written
        other.made = True
        if entry.action is not None:
            other.action = entry.action.copy()
            if _on_nla(copy) and (owner := _owner(target, other)) is not None:
                compat.add_nla_strip(owner, other.action, other.slot, copy.span_start, copy.span_end)
    play(target, copy, sliders)
    return copy


def delete(target: bpy.types.Object, index: int) -> str:
    """Remove a take and the Actions that were made for it; the take next to it is played.

    Returns:
        What the user should know, empty when nothing is left behind.
    """
    face = target.unitalker
    take = face.takes[index]
    shared = [entry.action.name for entry in take.actions if entry.action is not None and not entry.made]
    for entry in take.actions:
        if entry.made and entry.action is not None:
            _remove_action(target, take, entry)
    was_active = index == face.active
    face.takes.remove(index)
    _set_active(target, min(face.active - (index < face.active), len(face.takes) - 1))
    if was_active and (following := active(target)) is not None:
        play(target, following)
    return f"the keys in {', '.join(shared)} stay, which was there before" if shared else ""


def _remove_action(target: bpy.types.Object, take: UniTalkerTake, entry: UniTalkerTakeAction) -> None:
    """Remove an Action and what it leaves behind: empty NLA tracks, and shape keys held where it had them."""
    owner, action = _owner(target, entry), entry.action
    if owner is not None and owner.animation_data is not None:
        for track in list(owner.animation_data.nla_tracks):
            if [strip.action for strip in track.strips] == [action]:
                owner.animation_data.nla_tracks.remove(track)
    paths = {name.rpartition("|")[0] for name in json.loads(entry.written or "{}")}
    bpy.data.actions.remove(action)
    for path in paths:
        holder, _, name = path.rpartition(".")
        if isinstance(owner, bpy.types.Key):
            owner.path_resolve(holder).value = 0.0
        elif owner is not None and holder:  # a bone, whose defaults are its rest pose
            _reset(owner.path_resolve(holder), name)


def _reset(holder: Any, name: str) -> None:
    declared = holder.bl_rna.properties[name]
    setattr(holder, name, tuple(declared.default_array) if declared.is_array else declared.default)


def _set_active(target: bpy.types.Object, index: int) -> None:
    global _switching
    _switching = True
    try:
        target.unitalker.active = index
    finally:
        _switching = False


def _on_nla(take: UniTalkerTake) -> bool:
    return bool(json.loads(take.placement or "{}").get("where") == "NLA_TRACK")


def _mute_tracks(target: bpy.types.Object, chosen: UniTalkerTake) -> None:
    """Of the NLA tracks of all takes, only those of `chosen` are heard."""
    of_takes = {entry.action for take in target.unitalker.takes for entry in take.actions}
    of_chosen = {entry.action for entry in chosen.actions}
    for entry in chosen.actions:
        owner = _owner(target, entry)
        for track in owner.animation_data.nla_tracks if owner is not None and owner.animation_data else ():
            actions = {strip.action for strip in track.strips}
            if actions & of_takes:
                track.mute = not actions & of_chosen


def _owner(target: bpy.types.Object, entry: UniTalkerTakeAction) -> bpy.types.ID | None:
    animated = entry.owner or target
    if entry.kind == "OBJECT":
        return animated
    return animated.data.shape_keys if animated.type == "MESH" else None


def _entry(target: bpy.types.Object, take: UniTalkerTake, place: Place) -> UniTalkerTakeAction:
    """What a take knows of one data block, made when it is not there."""
    owner = place.owner.find()
    entry: UniTalkerTakeAction | None = next((known for known in take.actions if _owner(target, known) == owner), None)
    if entry is None:
        entry = take.actions.add()
        entry.kind = place.owner.kind
        animated = _object_of(target, owner)
        entry.owner = animated if animated != target else None
        entry.made = place.made
    entry.action, entry.slot = place.action(), place.slot
    return entry


def _object_of(target: bpy.types.Object, owner: bpy.types.ID) -> bpy.types.Object:
    """The object that has the data block: `target` where it does."""
    if isinstance(owner, bpy.types.Object):
        return owner
    if target.type == "MESH" and target.data.shape_keys == owner:
        return target
    return next(item for item in bpy.data.objects if item.type == "MESH" and item.data.shape_keys == owner)


def curve_name(track: Track) -> str:
    """What a take calls the curve of a track: path, bar, index."""
    return f"{track.path}|{track.index}"

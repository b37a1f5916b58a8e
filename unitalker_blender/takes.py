"""Takes: the performances of an object, each with its sound, its direction and its Actions."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from . import compat
from .settings import direction as directions
from .take_actions import hear, owner_of, remove_action

if TYPE_CHECKING:
    from .animate_options import AnimateOptions
    from .client.protocol import Result
    from .settings.takes import UniTalkerTake

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
        owner = owner_of(target, entry)
        if owner is None or entry.action is None:
            continue
        if entry.on_nla:
            hear(target, take, owner)
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
        other.made, other.on_nla = True, entry.on_nla
        other.before, other.before_slot = entry.before, entry.before_slot
        if entry.action is not None:
            other.action = entry.action.copy()
            if other.on_nla and (owner := owner_of(target, other)) is not None:
                compat.add_nla_strip(owner, other.action, other.slot, copy.span_start, copy.span_end)
    play(target, copy, sliders)
    return copy


def delete(target: bpy.types.Object, index: int) -> str:
    """Remove a take and the Actions that were made for it; the take next to it is played.

    Returns:
        What the user should know, empty when nothing is left behind.
    """
    from .scene.action_placement import keep_in_file

    face = target.unitalker
    take = face.takes[index]
    shared = [entry.action.name for entry in take.actions if entry.action is not None and not entry.made]
    artists = {entry.before for entry in take.actions}
    for entry in take.actions:
        if entry.made and entry.action is not None:
            remove_action(target, entry)
    was_active = index == face.active
    face.takes.remove(index)
    _set_active(target, min(face.active - (index < face.active), len(face.takes) - 1))
    if was_active and (following := active(target)) is not None:
        play(target, following)
    for action in artists:
        keep_in_file(action)
    return f"the keys in {', '.join(shared)} stay, which was there before" if shared else ""


def _set_active(target: bpy.types.Object, index: int) -> None:
    global _switching
    _switching = True
    try:
        target.unitalker.active = index
    finally:
        _switching = False

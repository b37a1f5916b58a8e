"""Into which Actions a performance goes, and how they come to move what they animate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import bpy

from .. import compat
from ..client.errors import UniTalkerError
from .curve_keys import Interpolation

Where = Literal["NEW_ACTION", "CURRENT_ACTION", "NAMED_ACTION", "NLA_TRACK"]
Density = Literal["EVERY", "NTH", "DECIMATED"]

# Where data blocks of a type are found again; undo and loading a file replace them.
_COLLECTIONS = {"KEY": "shape_keys", "OBJECT": "objects"}


@dataclass(frozen=True)
class Placement:
    """How keys are put into the file.

    Attributes:
        where: a new Action that is assigned, the assigned one, the one called `action`, or a new Action on a new NLA
            track.
        density: a key on every frame, on every `step`-th, or as few as keep within `error` of the curve.
        span: the first and last scene frame that are written; None for the whole sound.
        blend: frames at both ends of `span` over which it goes over from and to what was there.
    """

    where: Where = "NEW_ACTION"
    action: str = ""
    density: Density = "EVERY"
    step: int = 2
    error: float = 0.005
    interpolation: Interpolation = "LINEAR"
    span: tuple[int, int] | None = None
    blend: int = 0


@dataclass(frozen=True)
class OwnerRef:
    """An animated data block that outlives undo: kind and session id instead of a pointer."""

    kind: str
    uid: int

    @classmethod
    def of(cls, owner: bpy.types.ID) -> OwnerRef:
        return cls(owner.id_type, owner.session_uid)

    def find(self) -> bpy.types.ID:
        """The data block; UniTalkerError ``target.gone`` when it is no longer there."""
        return _find(getattr(bpy.data, _COLLECTIONS[self.kind]), self.uid)


@dataclass(frozen=True)
class Assignment:
    """What a data block was animated by."""

    owner: OwnerRef
    action_uid: int | None
    slot: int

    @classmethod
    def of(cls, owner: bpy.types.ID) -> Assignment:
        animation = owner.animation_data
        action = animation.action if animation else None
        slot = compat.assigned_slot(animation) if action is not None else 0
        return cls(OwnerRef.of(owner), action.session_uid if action is not None else None, slot)

    @classmethod
    def before_takes(cls, owner: bpy.types.ID) -> Assignment:
        """As `of`, and where that is a take of ours, what there was before the takes."""
        animation = owner.animation_data
        action = animation.action if animation else None
        entries = (entry for item in bpy.data.objects for take in item.unitalker.takes for entry in take.actions)
        ours = next((entry for entry in entries if action is not None and entry.action == action), None)
        if ours is None:
            return cls.of(owner)
        return cls(OwnerRef.of(owner), ours.before.session_uid if ours.before is not None else None, ours.before_slot)

    def action(self) -> bpy.types.Action | None:
        """The Action, None when there was none, or when it was removed meanwhile."""
        return next((action for action in bpy.data.actions if action.session_uid == self.action_uid), None)

    def restore(self) -> None:
        """Assign it again."""
        animation = self.owner.find().animation_data
        if self.action_uid is not None:
            compat.assign_action(self.owner.find(), _find(bpy.data.actions, self.action_uid), self.slot)
        elif animation is not None and animation.action is not None:
            animation.action = None


@dataclass(frozen=True)
class Place:
    """Where the curves of one data block lie.

    Attributes:
        slot: handle of the Action's slot; 0 where there are none.
        made: whether the Action was made for this.
        on_nla: whether it is laid on an NLA track instead of assigned.
        before: what the data block was animated by before it had any take.
    """

    owner: OwnerRef
    action_uid: int
    slot: int
    made: bool
    on_nla: bool
    before: Assignment

    def action(self) -> bpy.types.Action:
        return _find(bpy.data.actions, self.action_uid)

    def exists(self) -> bool:
        """Whether the Action is still there."""
        return any(action.session_uid == self.action_uid for action in bpy.data.actions)

    def fcurves(self) -> Any:
        """The f-curve collection."""
        return compat.action_fcurves(self.action(), self.slot)


def open_place(owner: bpy.types.ID, placement: Placement, name: str) -> Place:
    """Find or make the Action for `owner`; nothing is assigned yet.

    Args:
        name: of a new Action.

    Raises:
        UniTalkerError: ``action.*`` when the Action cannot be written.
    """
    if owner.animation_data is not None and owner.animation_data.use_tweak_mode:
        raise UniTalkerError(
            "target.tweak_mode",
            f"An NLA strip of '{owner.name}' is being edited (tweak mode).",
            "Leave tweak mode in the NLA editor (Tab) first.",
        )
    action = _existing(owner, placement)
    made, on_nla = action is None, placement.where == "NLA_TRACK"
    before = Assignment.before_takes(owner)
    slot = 0
    if action is None:
        wanted = placement.action if placement.where == "NAMED_ACTION" else name
        action, slot = _new_action(owner, wanted, None if on_nla else before)
    slot = slot or compat.slot_for(action, owner)
    return Place(OwnerRef.of(owner), action.session_uid, slot, made, on_nla, before)


def _new_action(owner: bpy.types.ID, name: str, before: Assignment | None) -> tuple[bpy.types.Action, int]:
    """A new Action and its slot, 0 for one to be found or made.

    An armature may have a body that walks: what its Action animates goes on in a copy of it, unless the new one lies
    above it on an NLA track (no `before`).
    """
    artists = before.action() if before is not None and owner.id_type == "OBJECT" else None
    if artists is None or before is None:
        return compat.new_action(owner, name), 0
    action = artists.copy()
    action.name = name
    return action, before.slot


def _existing(owner: bpy.types.ID, placement: Placement) -> bpy.types.Action | None:
    """The Action that is there already; None when a new one is wanted."""
    if placement.where == "CURRENT_ACTION":
        action = owner.animation_data.action if owner.animation_data else None
    elif placement.where == "NAMED_ACTION":
        if not placement.action:
            raise UniTalkerError("action.none", "No Action is chosen.", "Choose one, or write the name of a new one.")
        action = bpy.data.actions.get(placement.action)
    else:
        return None
    if action is None:
        return None
    if not action.is_editable:
        raise UniTalkerError(
            "action.linked",
            f"The Action '{action.name}' is linked from another file and cannot be changed here.",
            "Write into a new Action, or make this one local.",
        )
    if not compat.fits(action, owner):
        raise UniTalkerError(
            "action.other_kind",
            f"The Action '{action.name}' animates another kind of data ({action.id_root}), not '{owner.name}'.",
            "Write into a new Action.",
        )
    return action


def put_to_use(place: Place, first: int, last: int) -> None:
    """Assign the Action, or lay it on an NLA track."""
    owner, action = place.owner.find(), place.action()
    if place.on_nla:
        compat.add_nla_strip(owner, action, place.slot, first, last)
    else:
        compat.assign_action(owner, action, place.slot)


def keep_in_file(action: bpy.types.Action | None) -> None:
    """Make sure that an Action of the artist's is saved although nothing uses it any more."""
    if action is not None and action.is_editable and not action.users:
        action.use_fake_user = True


def discard(place: Place) -> None:
    """Remove an Action that was made for something that came to nothing."""
    if place.made and place.exists():
        bpy.data.actions.remove(place.action())


def gone() -> UniTalkerError:
    """That what was written to is no longer there."""
    return UniTalkerError(
        "target.gone", "What was being animated was removed, or the making of it was undone.", "Run Animate again."
    )


def _find(collection: Any, uid: int) -> Any:
    found = next((item for item in collection if item.session_uid == uid), None)
    if found is None:
        raise gone()
    return found

"""The takes of an object: what was said, how it was directed, and where its keys are."""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from .direction import UniTalkerDirection

_OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}


class UniTalkerTakeAction(bpy.types.PropertyGroup):
    """Where the curves of a take on one data block are."""

    owner: PointerProperty(
        type=bpy.types.Object,
        description="Object that is animated besides the one that has the take; empty for that one",
        override=_OVERRIDABLE,
    )
    kind: EnumProperty(
        items=(("KEY", "Shape Keys", ""), ("OBJECT", "Object", "")), default="KEY", override=_OVERRIDABLE
    )
    action: PointerProperty(type=bpy.types.Action, override=_OVERRIDABLE)
    slot: IntProperty(description="Handle of the Action's slot", override=_OVERRIDABLE)
    made: BoolProperty(description="Whether the Action was made for this take", override=_OVERRIDABLE)
    on_nla: BoolProperty(description="Whether it is laid on an NLA track instead of assigned", override=_OVERRIDABLE)
    before: PointerProperty(
        type=bpy.types.Action, description="What was assigned before there were takes", override=_OVERRIDABLE
    )
    before_slot: IntProperty(description="Handle of the slot that was assigned with it", override=_OVERRIDABLE)
    written: StringProperty(
        description="JSON: curve to digest of the keys that were written, to know when somebody changed them",
        override=_OVERRIDABLE,
    )


class UniTalkerTake(bpy.types.PropertyGroup):
    """One performance of one sound. `name` is what the list shows."""

    uid: StringProperty(description="Tells takes apart, whatever their place in the list", override=_OVERRIDABLE)
    audio: StringProperty(name="Sound", override=_OVERRIDABLE)
    model: StringProperty(name="Model", override=_OVERRIDABLE)
    head: StringProperty(name="Head", override=_OVERRIDABLE)
    identity: StringProperty(name="Identity", override=_OVERRIDABLE)
    identity_b: StringProperty(name="Second Identity", override=_OVERRIDABLE)
    raw: StringProperty(description="Name of the network's output in the backend's cache", override=_OVERRIDABLE)
    engine: StringProperty(override=_OVERRIDABLE)
    device: StringProperty(override=_OVERRIDABLE)
    preset: StringProperty(override=_OVERRIDABLE)
    direction: StringProperty(description="JSON: the direction that the keys were written with", override=_OVERRIDABLE)
    placement: StringProperty(description="JSON: how the keys were placed", override=_OVERRIDABLE)
    passages: StringProperty(
        default="[]", description="JSON: parts that were generated again with other seeds", override=_OVERRIDABLE
    )
    fps: FloatProperty(description="Frames per second of the scene when it was made", override=_OVERRIDABLE)
    frame_start: IntProperty(description="Frame at which the sound starts", override=_OVERRIDABLE)
    span_start: IntProperty(description="First frame that was written", override=_OVERRIDABLE)
    span_end: IntProperty(description="Last frame that was written", override=_OVERRIDABLE)
    summary: StringProperty(override=_OVERRIDABLE)
    quality: StringProperty(default="{}", description="JSON: name to number", override=_OVERRIDABLE)
    waveform: StringProperty(description="Loudness of the sound, see `preview.encode`", override=_OVERRIDABLE)
    curve: StringProperty(description="Opening of the mouth, see `preview.encode`", override=_OVERRIDABLE)
    beyond: StringProperty(
        default="{}",
        description="JSON: shape key to the smallest and largest value that its slider's range cut",
        override=_OVERRIDABLE,
    )
    edited: IntProperty(
        description="Curves that the sliders leave as they are, because somebody edited their keys",
        override=_OVERRIDABLE,
    )
    actions: CollectionProperty(type=UniTalkerTakeAction, override={"LIBRARY_OVERRIDABLE", "USE_INSERTION"})


def _switched(self: UniTalkerFace, _context: bpy.types.Context) -> None:
    from .. import takes

    takes.chosen_in_list(self.id_data)


class UniTalkerFace(bpy.types.PropertyGroup):
    """What an object that speaks keeps; `object.unitalker`."""

    direction: PointerProperty(type=UniTalkerDirection, override=_OVERRIDABLE)
    takes: CollectionProperty(type=UniTalkerTake, override={"LIBRARY_OVERRIDABLE", "USE_INSERTION"})
    active: IntProperty(
        name="Active Take", default=-1, description="The take that is played", update=_switched, override=_OVERRIDABLE
    )


CLASSES = (UniTalkerTakeAction, UniTalkerTake, UniTalkerFace)

"""Where keys go, and how many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

if TYPE_CHECKING:
    from ..scene.action_placement import Placement

WHERE = (
    ("NEW_ACTION", "New Action", "A new Action, which is assigned; the one before is kept"),
    ("CURRENT_ACTION", "Current Action", "Into the assigned Action, in place of what is there meanwhile"),
    ("NAMED_ACTION", "Named Action", "Into the Action of a name, made when there is none, which is then assigned"),
    ("NLA_TRACK", "NLA Track", "A new Action on a new NLA track; the assigned Action stays"),
)
DENSITY = (
    ("EVERY", "Every Frame", "A key on every frame"),
    ("NTH", "Every n-th Frame", "A key on every n-th frame, and on the last"),
    ("DECIMATED", "Decimated", "As few keys as keep the curve within an error"),
)
INTERPOLATION = (
    ("LINEAR", "Linear", "Straight lines between the keys"),
    ("BEZIER", "Bézier", "Smooth between the keys, with handles that do not overshoot"),
)
AGAIN = (
    ("NEW_TAKE", "New Take", "Animating the same sound again makes another take"),
    ("UPDATE_TAKE", "Update Take", "Animating the same sound again replaces the take that it was animated in"),
)


def _search_actions(_self: object, _context: object, text: str) -> list[str]:
    return [action.name for action in bpy.data.actions if text.lower() in action.name.lower()]


class PlacementSettings:
    """Where keys go, and how many; the same for the panel and for the operator's arguments."""

    where: EnumProperty(
        name="Write Into", items=WHERE, default="NEW_ACTION", description="Where the keys go", options=set()
    )
    action: StringProperty(
        name="Action", description="Name of the Action to write into", search=_search_actions, options=set()
    )
    density: EnumProperty(
        name="Keys", items=DENSITY, default="EVERY", description="How many keys are written", options=set()
    )
    key_step: IntProperty(
        name="n", default=2, min=1, soft_max=12, max=1000, description="Frames from key to key", options=set()
    )
    key_error: FloatProperty(
        name="Error",
        default=0.005,
        min=0.0001,
        soft_max=0.1,
        max=1.0,
        precision=4,
        step=0.1,
        description="How far the curve may be from the motion, in shape key units",
        options=set(),
    )
    interpolation: EnumProperty(
        name="Interpolation",
        items=INTERPOLATION,
        default="LINEAR",
        description="What the curve does between two keys",
        options=set(),
    )
    use_span: BoolProperty(
        name="Frame Range",
        default=False,
        description="Write some of the frames only; what is there on others stays",
        options=set(),
    )
    span_start: IntProperty(name="From", default=1, description="First frame that is written", options=set())
    span_end: IntProperty(name="To", default=250, description="Last frame that is written", options=set())
    blend: IntProperty(
        name="Blend",
        default=5,
        min=0,
        soft_max=50,
        max=10_000,
        description="Frames at both ends over which the new motion goes over from and to what was there",
        options=set(),
    )
    again: EnumProperty(
        name="Same Sound",
        items=AGAIN,
        default="NEW_TAKE",
        description="What happens when a sound is animated again on the same object",
        options=set(),
    )


def placement_of(values: Mapping[str, Any]) -> Placement:
    """`values` of the properties above as the writer takes them."""
    from ..scene.action_placement import Placement  # with numpy, which registration has no time for

    use_span = values["use_span"]
    return Placement(
        where=values["where"],
        action=values["action"],
        density=values["density"],
        step=values["key_step"],
        error=values["key_error"],
        interpolation=values["interpolation"],
        span=(values["span_start"], values["span_end"]) if use_span else None,
        blend=values["blend"] if use_span else 0,
    )

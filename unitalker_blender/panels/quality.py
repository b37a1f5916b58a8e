"""What came of the active take."""

from __future__ import annotations

import json

import bpy

from .. import preview
from ..settings.takes import UniTalkerTake
from ..translations import translate
from .text import draw_text

_TITLES = {
    "range": "Range",
    "closure": "Closure",
    "silence": "Silence",
    "jitter": "Jitter",
    "offset": "Offset (ms)",
}


def draw_take(layout: bpy.types.UILayout, take: UniTalkerTake, context: bpy.types.Context) -> None:
    """The take in a box: what it is, the read-out of its quality, and what can be done about its flaws."""
    box = layout.box()
    draw_text(box, f"{take.name}: {take.summary.partition(': ')[2]}", context)
    row = box.row(align=True)
    row.alignment = "CENTER"
    for icon in preview.tiles(take):
        row.template_icon(icon, scale=3.2)
    grid = box.grid_flow(columns=2, align=True)
    for name, value in json.loads(take.quality).items():
        grid.label(text=f"{translate(_TITLES.get(name, name))}: {value:.3g}", translate=False)
    beyond = json.loads(take.beyond)
    if beyond:
        box.label(text=translate(f"{len(beyond)} shape keys are cut at their range"), translate=False)
        box.operator("unitalker.widen_ranges")
    if take.edited:
        _draw_edited(box, take.edited)


def _draw_edited(layout: bpy.types.UILayout, count: int) -> None:
    """That keys were edited by hand, and what to do about it."""
    layout.label(text=translate(f"Edited by hand, and kept: {count} curves"), translate=False, icon="INFO")
    row = layout.row(align=True)
    row.operator_context = "INVOKE_DEFAULT"
    row.operator("unitalker.update", text="New Take").edited = "NEW_TAKE"
    row.operator("unitalker.update", text="Overwrite").edited = "OVERWRITE"

"""Sentences in a sidebar."""

from __future__ import annotations

import bpy

from ..line_wrapping import wrap
from ..translations import translate

_POINTS_PER_LETTER = 7


def draw_text(layout: bpy.types.UILayout, text: str, context: bpy.types.Context, icon: str = "NONE") -> None:
    """A sentence over as many lines as the region's width needs; the icon stands before the first."""
    text = translate(text)
    scale = context.preferences.system.ui_scale
    letters = max(20, int(context.region.width / (_POINTS_PER_LETTER * scale)))
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(wrap(text, letters)):
        column.label(text=line, icon="NONE" if number else icon, translate=False)

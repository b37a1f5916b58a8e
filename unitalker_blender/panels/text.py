"""Sentences in a sidebar."""

from __future__ import annotations

import re

import bpy

from ..translations import translate

_POINTS_PER_LETTER = 7
_PIECE = re.compile(r"[\u2e80-\uffff]|[^\s\u2e80-\uffff]+|\s+")  # what a line may end after


def draw_text(layout: bpy.types.UILayout, text: str, context: bpy.types.Context, icon: str = "NONE") -> None:
    """A sentence over as many lines as the region's width needs; the icon stands before the first."""
    text = translate(text)
    scale = context.preferences.system.ui_scale
    letters = max(20, int(context.region.width / (_POINTS_PER_LETTER * scale)))
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(wrap(text, letters)):
        column.label(text=line, icon="NONE" if number else icon, translate=False)


def wrap(text: str, letters: int) -> list[str]:
    """Lines of at most so many letters; those of Chinese and Japanese are as wide as two and may begin a line."""
    lines, width = [""], 0
    for piece in _PIECE.findall(text):
        wide = 2 if piece >= "\u2e80" else len(piece)
        if width + wide > letters and lines[-1]:
            lines.append("")
            width = 0
        if lines[-1] or not piece.isspace():
            lines[-1] += piece
            width += wide
    return [line.rstrip() for line in lines if line.strip()]

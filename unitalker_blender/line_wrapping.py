"""Sentences broken into lines, also those of scripts that put no spaces between words."""

from __future__ import annotations

import re

_PIECE = re.compile(r"[\u2e80-\uffff]|[^\s\u2e80-\uffff]+|\s+")  # what a line may end after


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

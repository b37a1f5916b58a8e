"""Lay the demo's stills out on one picture with the words under them.

usage: python assets/demo/contact_sheet.py OUT     reads OUT/stills, writes OUT/demo.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

TILE = 300
CAPTION = 56
GAP = 8
COLUMNS = 6
# Left, top, right, bottom of what is shown of a still: from the eyes down.
CROP = (0.19, 0.36, 0.77, 0.94)
BACKGROUND = (24, 27, 32)
WORD = (240, 240, 240)
NOTE = (150, 165, 185)


def contact_sheet(folder: Path) -> Image.Image:
    """The stills in the order of their moments, from `folder` with its `moments.json`."""
    moments = json.loads((folder / "moments.json").read_text("utf-8"))
    rows = -(-len(moments) // COLUMNS)
    width = COLUMNS * (TILE + GAP) + GAP
    sheet = Image.new("RGB", (width, rows * (TILE + CAPTION + GAP) + GAP), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    word_font, note_font = ImageFont.load_default(22), ImageFont.load_default(15)
    for number, moment in enumerate(moments):
        left = GAP + number % COLUMNS * (TILE + GAP)
        top = GAP + number // COLUMNS * (TILE + CAPTION + GAP)
        with Image.open(folder / f"{number:02d}.png") as still:
            box = tuple(part * still.width for part in CROP)
            sheet.paste(still.convert("RGB").resize((TILE, TILE), Image.Resampling.LANCZOS, box), (left, top))
        middle = left + TILE / 2
        draw.text((middle, top + TILE + 4), moment["caption"], WORD, word_font, anchor="ma")
        draw.text((middle, top + TILE + 32), moment["note"], NOTE, note_font, anchor="ma")
    return sheet


def main() -> None:
    out = Path(sys.argv[1])
    contact_sheet(out / "stills").save(out / "demo.png", optimize=True)


if __name__ == "__main__":
    main()

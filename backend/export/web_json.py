"""JSON for the web: every frame's values, for morph targets in three.js and the like (docs/interchange.md)."""

from __future__ import annotations

import json
from pathlib import Path

from backend.annotation import FaceMotion
from backend.export.atomic import atomic_write

_DECIMALS = 6


def write_json(motion: FaceMotion, path: Path) -> None:
    """Write ``annotation``, ``unit``, ``fps``, ``sound``, ``names`` and ``frames`` (a list of values per frame).

    Frame ``i`` is at ``i / fps`` seconds. Values have six decimals: a micrometre, or a millionth of a weight.

    Raises:
        UniTalkerError: ``output.unwritable``.
    """
    head = {
        "annotation": motion.annotation.type_name,
        "unit": motion.annotation.unit,
        "fps": motion.fps,
        "sound": motion.sound,
        "names": motion.annotation.channel_names,
    }
    with atomic_write(path) as file:
        file.write(json.dumps(head, ensure_ascii=False)[:-1].encode() + b', "frames": [')
        # Line by line: one JSON string of a vertex head's minutes would not fit in memory.
        for index, frame in enumerate(motion.values):
            line = json.dumps([round(value, _DECIMALS) for value in frame.tolist()], separators=(",", ":"))
            file.write((",\n" if index else "\n").encode() + line.encode())
        file.write(b"\n]}\n")

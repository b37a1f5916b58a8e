"""The JSON that `backend.export.web_json` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from backend.annotation import FaceMotion
from backend.importing.checked import MOST_BYTES, motion_of, unreadable


def read_json(path: Path) -> FaceMotion:
    """Read ``annotation``, ``unit``, ``fps``, ``names``, ``frames`` and, if there, ``sound``.

    Raises:
        UniTalkerError: ``motion.unreadable``.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise unreadable(path, "it is larger than 2 GiB", "Read a shorter one.")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise unreadable(path, str(error.strerror)) from error
    except (ValueError, RecursionError) as error:
        raise unreadable(path, f"it is no JSON, or cut short ({error})") from error
    if not isinstance(document, dict):
        raise unreadable(path, "it is JSON of something else")
    missing = {"annotation", "unit", "fps", "names", "frames"} - set(document)
    if missing:
        raise unreadable(path, f"it has no {', '.join(sorted(missing))}")
    names = document["names"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise unreadable(path, "its names are not a list of texts")
    if not isinstance(document["fps"], int | float):
        raise unreadable(path, "its fps is not a number")
    return motion_of(
        path,
        _values(path, document["frames"], len(names)),
        names,
        float(document["fps"]),
        str(document["unit"]),
        str(document["annotation"]),
        str(document.get("sound", "")),
    )


def _values(path: Path, frames: Any, width: int) -> np.ndarray:
    if not isinstance(frames, list):
        raise unreadable(path, "its frames are not a list")
    for index, frame in enumerate(frames):
        if not isinstance(frame, list) or len(frame) != width:
            count = f"{len(frame)} values" if isinstance(frame, list) else "no list"
            raise unreadable(path, f"frame {index} has {count} for {width} names")
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which is refused later
            return np.array(frames, np.float64).astype(np.float32).reshape(len(frames), width)
    except (ValueError, TypeError, OverflowError) as error:
        raise unreadable(path, "a value is not a number") from error

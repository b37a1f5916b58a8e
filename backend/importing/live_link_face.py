"""Live Link Face takes: what Epic's phone app records, and whatever writes the same CSV."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from backend.annotation import FaceMotion
from backend.export.live_link_face import ARKIT_COLUMNS, VALUE_COLUMNS
from backend.importing.checked import motion_of, unreadable

ANNOTATION = "live_link_face"

_TIMECODE = re.compile(r"^\s*(\d{1,3})[:;](\d{2})[:;](\d{2})[:;.](\d{1,3}(?:\.\d+)?)\s*$")
_DAY = 24 * 3600.0
_RATES = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 120.0)
_APP_RATE = 60.0
_FIXED_COLUMNS = {"timecode", "blendshapecount"}


def read_live_link_face(path: Path, fps: float | None = None) -> FaceMotion:
    """Read a take; frame 0 is its first row, and the time between frames is even.

    Channels are the ARKit names in Apple's spelling for the columns that are there, in the order of the file, and
    ``headYaw``, ``headPitch``, ``headRoll`` (radians). Columns are known by name, whatever their order. The app's
    angles of the eyes are left out: they say once more what ``eyeLook…`` says. Rows that are missing, by the time
    code, are filled in evenly; a last row that is cut short is left out; both are noted.

    Args:
        path: of the ``.csv``.
        fps: rate of the recording; told from the time codes if left out. Those of 59.94 and 60 frames a second look
            alike, which matters from half a minute on.

    Raises:
        UniTalkerError: ``motion.unreadable`` with line and column.
    """
    header, rows, notes = _read_rows(path)
    columns = _columns(path, header)
    seconds, rate = _times(path, [row[_find(header, "timecode")] for row in rows], fps)
    values = _numbers(path, rows, columns)
    frames = np.round(seconds * rate).astype(np.int64)
    grid = np.arange(frames[-1] + 1)
    if len(grid) > len(frames):
        notes.append(f"{len(grid) - len(frames)} of {len(grid)} frames are missing in the take and were filled in")
        values = np.column_stack([np.interp(grid, frames, channel) for channel in values.T])
    motion = motion_of(path, values, [name for name, _ in columns], rate, "weight", ANNOTATION)
    return replace(motion, notes=tuple(notes))


def _read_rows(path: Path) -> tuple[list[str], list[list[str]], list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except OSError as error:
        raise unreadable(path, str(error.strerror)) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise unreadable(path, f"it is no CSV ({error})") from error
    if len(rows) < 2:
        raise unreadable(path, "it has no header and rows")
    header, *rest = rows
    notes = []
    for number, row in enumerate(rest, start=2):
        if len(row) == len(header):
            continue
        if number < len(rows) or number == 2:
            raise unreadable(path, f"line {number} has {len(row)} columns, the header has {len(header)}")
        rest = rest[:-1]
        notes.append("the last row of the take is cut short and was left out")
    return header, rest, notes


def _find(header: Sequence[str], name: str) -> int:
    return [column.strip().lower() for column in header].index(name)


def _columns(path: Path, header: Sequence[str]) -> list[tuple[str, int]]:
    """Channel name and column of what is taken over."""
    lower = [column.strip().lower() for column in header]
    if "timecode" not in lower:
        raise unreadable(path, "it has no column Timecode, so it is no Live Link Face take")
    known = {name.lower(): name[0].lower() + name[1:] for name in (*ARKIT_COLUMNS, "HeadYaw", "HeadPitch", "HeadRoll")}
    found = [(known[name], index) for index, name in enumerate(lower) if name in known]
    doubled = {name for name, _ in found if [other for other, _ in found].count(name) > 1}
    if doubled:
        raise unreadable(path, f"the column {sorted(doubled)[0]} is there twice")
    if not any(name in ("jawOpen", "mouthClose") for name, _ in found):
        strange = [name for name in header if name.strip().lower() not in _FIXED_COLUMNS][:3]
        raise unreadable(
            path,
            f"it has no JawOpen; its columns are {', '.join(strange)} and so on",
            f"A take has the columns Timecode, BlendShapeCount, {', '.join(VALUE_COLUMNS[:3])} and so on.",
        )
    return found


def _numbers(path: Path, rows: Sequence[Sequence[str]], columns: Sequence[tuple[str, int]]) -> np.ndarray:
    try:
        values = np.array([[float(row[index]) for _, index in columns] for row in rows])
    except ValueError:
        values = np.array([[_number(row[index]) for _, index in columns] for row in rows])
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        name, index = columns[column]
        raise unreadable(path, f"{rows[row][index]!r} in line {row + 2}, column {name}, is not a number")
    return values


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _times(path: Path, codes: Sequence[str], fps: float | None) -> tuple[np.ndarray, float]:
    """Seconds of each row since the first, and the frame rate."""
    parts = np.array([_split(path, line, code) for line, code in enumerate(codes, start=2)])
    whole, frame = parts[:, 0], parts[:, 1]
    base = fps or _counting_rate(whole, frame)
    seconds = whole + frame / base
    steps = np.diff(seconds)
    seconds[1:] += np.cumsum(np.where(steps < -_DAY / 2, _DAY, 0.0))  # a take across midnight
    steps = np.diff(seconds)
    if (steps <= 0).any():
        line = int(np.argmax(steps <= 0)) + 3
        raise unreadable(path, f"the time code {codes[line - 2]!r} in line {line} does not go on from the one before")
    seconds -= seconds[0]
    return seconds, fps or _frame_rate(seconds, base)


def _split(path: Path, line: int, code: str) -> tuple[float, float]:
    """Whole seconds and frames of a time code."""
    found = _TIMECODE.match(code)
    if found is None:
        raise unreadable(path, f"{code!r} in line {line} is no time code like 00:00:01:12.000")
    hours, minutes, seconds, frame = found.groups()
    return 3600.0 * int(hours) + 60.0 * int(minutes) + int(seconds), float(frame)


def _counting_rate(whole: np.ndarray, frame: np.ndarray) -> float:
    """Up to which number frames are counted in a second; the app's 60 where the take is too short to tell."""
    highest = float(frame.max())
    if whole[0] == whole[-1]:
        return max(_APP_RATE, math.floor(highest) + 1.0)
    return next((rate for rate in _RATES if rate > highest), math.floor(highest) + 1.0)


def _frame_rate(seconds: np.ndarray, base: float) -> float:
    """Rate of the rows: every frame that is counted, or every second one, and as television slows it down."""
    if len(seconds) == 1:
        return base
    step = float(np.median(np.diff(seconds)))
    rate = base / max(1, round(step * base))
    # Mean step of those rows that follow each other without a gap.
    even = np.diff(seconds)
    even = even[even < 1.5 * step]
    measured = 1 / float(even.mean())
    slowed = rate * 1000 / 1001
    return slowed if abs(measured - slowed) < abs(measured - rate) else rate

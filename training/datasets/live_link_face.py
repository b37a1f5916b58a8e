"""Takes of Epic's Live Link Face app: 52 ARKit weights and the head's rotation at 30 or 60 fps.

The app makes a folder for each take with ``SLATE_TAKE_SUBJECT.csv``, a ``.mov`` with the sound, ``take.json`` and
``video_metadata.json``. With a calibration there are ``_cal.csv``, ``_raw.csv`` and ``_neutral.csv`` in place of the
one ``.csv``; the calibrated weights are used, which are 0 at rest.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np

from backend.annotation import Annotation, FaceMotion
from backend.errors import UniTalkerError
from backend.export.live_link_face import ARKIT_COLUMNS
from backend.importing.live_link_face import read_live_link_face
from training.datasets.clip import HEAD_CHANNELS, Clip
from training.datasets.files import read_json
from training.datasets.source import Recording, Source, weights_annotation
from training.datasets.takes import find_sound, person_of, read_take_sound, unique_names

ARKIT_TYPE = "arkit_blendshape_weight"
ARKIT_NAMES = tuple(column[0].lower() + column[1:] for column in ARKIT_COLUMNS)

TAKE_FILE = "take.json"
"""In the folder of each take."""
_VIDEO_FILE, _FRAME_LOG = "video_metadata.json", "frame_log.csv"
_CALIBRATED = re.compile(r"_(cal|raw|neutral)$")
_USUAL_FPS = 60.0


def is_live_link_face(folder: Path) -> bool:
    """Whether there are takes in the folder."""
    return bool(_find_takes(folder))


def open_live_link_face(folder: Path, identity: str | None = None) -> Source:
    """All takes in a folder and the folders in it.

    The sound is a ``.wav`` (``.flac``, ``.ogg``, ``.mp3``) beside the ``.csv``, else that of the ``.mov``, for which
    the package ``av`` is needed. Takes in a folder of their own belong to the person the folder around them is named
    after.

    Args:
        folder: of takes.
        identity: whose face it is in all of them.
    """
    takes = _find_takes(folder)
    names = unique_names(takes, folder)
    recordings, problems = [], []
    for path in takes:
        sound = find_sound(path, _CALIBRATED.sub("", path.stem))
        if sound is None:
            problems.append(f"{path.relative_to(folder)} has no sound: neither a .wav nor a .mov beside it")
            continue
        person = identity or person_of(path, folder, is_take=lambda place: (place / TAKE_FILE).is_file())
        recordings.append(Recording(names[path], person, partial(_read, path, sound, names[path], person)))
    fps = _stated_rate(takes[0]) if takes else None
    return Source(folder, "Live Link Face", _annotation(fps or _USUAL_FPS), tuple(recordings), problems=tuple(problems))


def _read(path: Path, sound: Path, name: str, identity: str) -> Clip:
    motion = read_live_link_face(path, _stated_rate(path))
    weights = _channels(motion, ARKIT_NAMES)
    if weights is None:
        lacking = next(name for name in ARKIT_NAMES if name not in motion.annotation.names)
        raise UniTalkerError("data.unreadable", f"{path} has no column {lacking}.", "Record all 52 blendshapes.")
    head = _channels(motion, HEAD_CHANNELS)
    return Clip(name, read_take_sound(sound), weights, identity, _annotation(motion.fps), head)


def _channels(motion: FaceMotion, names: tuple[str, ...]) -> np.ndarray | None:
    """(T, names); ``None`` unless all are there."""
    known = motion.annotation.names
    if not set(names) <= set(known):
        return None
    return motion.values[:, [known.index(name) for name in names]]


def _annotation(fps: float) -> Annotation:
    return weights_annotation(ARKIT_TYPE, "ARKit blendshapes", ARKIT_NAMES, fps)


def _find_takes(folder: Path) -> list[Path]:
    """The ``.csv`` of each take; of a calibrated one the calibrated weights."""
    found = [path for path in sorted(folder.rglob("*.csv")) if path.name != _FRAME_LOG and _is_take(path)]
    of_take: dict[Path, Path] = {}
    for path in found:
        kind = _CALIBRATED.search(path.stem)
        take = path.with_name(_CALIBRATED.sub("", path.stem))
        if kind is None or kind[1] == "cal" or (kind[1] == "raw" and take not in of_take):
            of_take[take] = path
    return sorted(of_take.values())


def _is_take(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline().lower()
    return header.startswith("timecode") and "jawopen" in header


def _stated_rate(path: Path) -> float | None:
    """Frame rate that the app wrote down, if it did."""
    metadata = path.with_name(_VIDEO_FILE)
    stated = read_json(metadata).get("FrameRate") if metadata.is_file() else None
    return float(stated) if isinstance(stated, int | float) and stated > 0 else None

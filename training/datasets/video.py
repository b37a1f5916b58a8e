"""Video of a face, from a webcam or a phone: MediaPipe's weights with the sound of the movie."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from backend.annotation import Annotation
from training.datasets.clip import Clip
from training.datasets.face_tracking import MEDIAPIPE_NAMES, MEDIAPIPE_TYPE, check_task, track_face
from training.datasets.movies import MOVIE_SUFFIXES, import_extra, read_movie_sound
from training.datasets.source import Recording, Source, weights_annotation
from training.datasets.takes import person_of, unique_names
from training.datasets.time_stamps import on_even_grid

_FRAME_RATES = (25.0, 30.0)
"""That movies are put to; a head has one, and 25 suits the bundled model."""


def is_video(folder: Path) -> bool:
    """Whether there are movies in the folder."""
    return bool(_find_movies(folder))


def open_video(folder: Path, identity: str | None = None, face_task: Path | None = None) -> Source:
    """All movies in a folder and the folders in it, or one movie. Faces are tracked when a recording is read.

    Args:
        folder: of movies; each belongs to the person its folder is named after.
        identity: whose face it is in all of them.
        face_task: ``face_landmarker.task`` of MediaPipe.

    Raises:
        UniTalkerError: no task file, or the extra ``video`` is not installed.
    """
    task = check_task(face_task)
    movies = _find_movies(folder)
    for package in ("av", "mediapipe"):
        import_extra(package, f"Reading {folder}")
    fps = _nearest_rate(_average_rate(movies[0])) if movies else _FRAME_RATES[0]
    names = unique_names(movies, folder)
    recordings = []
    for path in movies:
        person = identity or person_of(path, folder if folder.is_dir() else folder.parent, is_take=lambda _: False)
        read = partial(_read, path, task, names[path], person, fps)
        recordings.append(Recording(names[path], person, read))
    return Source(folder, "video", _annotation(fps), tuple(recordings), has_gaps=True)


def _read(path: Path, task: Path, name: str, identity: str, fps: float) -> Clip:
    tracked = track_face(path, task)
    both = on_even_grid(tracked.times, np.hstack([tracked.weights, tracked.head]), fps)
    weights, head = both[:, : len(MEDIAPIPE_NAMES)], both[:, len(MEDIAPIPE_NAMES) :]
    return Clip(name, read_movie_sound(path), weights, identity, _annotation(fps), head)


def _find_movies(folder: Path) -> list[Path]:
    candidates = [folder] if folder.is_file() else sorted(folder.rglob("*"))
    return [path for path in candidates if path.suffix.lower() in MOVIE_SUFFIXES and path.is_file()]


def _average_rate(path: Path) -> float:
    av = import_extra("av", f"Reading {path}")
    with av.open(str(path)) as movie:
        rate = movie.streams.video[0].average_rate if movie.streams.video else None
    return float(rate) if rate else _FRAME_RATES[-1]


def _nearest_rate(rate: float) -> float:
    """Half of 50 and 60; otherwise the nearest."""
    if rate > 40:
        rate /= 2
    return min(_FRAME_RATES, key=lambda known: abs(known - rate))


def _annotation(fps: float) -> Annotation:
    return weights_annotation(MEDIAPIPE_TYPE, "ARKit blendshapes (MediaPipe)", MEDIAPIPE_NAMES, fps)

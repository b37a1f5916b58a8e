"""Takes in folders: which sound belongs to one, whose face it is, what it is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from backend.audio import read_audio
from training.datasets.movies import MOVIE_SUFFIXES, read_movie_sound

SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


def find_sound(path: Path, stem: str) -> Path | None:
    """The sound of a take: a sound file, else a movie, of its name, else the only one in its folder.

    Args:
        path: file of the motion.
        stem: what the names of the take's files begin with.
    """
    beside = sorted(other for other in path.parent.iterdir() if other != path)
    for suffixes in (SOUND_SUFFIXES, MOVIE_SUFFIXES):
        candidates = [other for other in beside if other.suffix.lower() in suffixes]
        named = [other for other in candidates if other.stem in (stem, path.stem)]
        if named:
            return named[0]
        if len(candidates) == 1 and _holds_one_take(path):
            return candidates[0]
    return None


def read_take_sound(path: Path) -> np.ndarray:
    """16 kHz mono float32 of a sound file or a movie."""
    return read_movie_sound(path) if path.suffix.lower() in MOVIE_SUFFIXES else read_audio(path).samples[:]


def person_of(path: Path, root: Path, is_take: Callable[[Path], bool]) -> str:
    """The name of the innermost folder around a take that is not the take's own.

    Args:
        path: file of the take.
        root: folder that was opened; the outermost that counts.
        is_take: whether a folder holds just one take.
    """
    place = path.parent
    while place != root and place.is_relative_to(root) and is_take(place):
        place = place.parent
    return place.resolve().name


def unique_names(paths: Iterable[Path], root: Path) -> dict[Path, str]:
    """A name for each file: its own, with its folders in front where two are the same."""
    files = list(paths)
    count = Counter(path.stem for path in files)
    return {
        path: path.stem if count[path.stem] == 1 else "_".join(path.relative_to(root).with_suffix("").parts)
        for path in files
    }


def _holds_one_take(path: Path) -> bool:
    """Whether a lone sound in this folder can only be that of this take."""
    families = {other.stem.split("_cal")[0].split("_raw")[0] for other in path.parent.glob(f"*{path.suffix}")}
    return len(families - {"frame_log"} - {name for name in families if name.endswith("_neutral")}) == 1

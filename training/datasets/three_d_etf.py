"""3D-ETF (Peng et al. 2023, EmoTalk): 52 ARKit weights at 30 fps solved from the videos of HDTF and RAVDESS."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from backend.annotation import Annotation
from backend.official_release import released_annotations
from training.datasets.clip import Clip
from training.datasets.files import open_frames, read_sound
from training.datasets.mesh_takes import find_sounds
from training.datasets.source import Recording, Source

_SOUNDS = ("audio", "wav")
_WEIGHTS = ("blendshape", "blendshapes", "bs", "npy")
_RAVDESS_FIELDS = 7


def is_three_d_etf(folder: Path) -> bool:
    """Whether the folder, or folders in it, pair sounds with weights."""
    return bool(_parts(folder))


def open_three_d_etf(folder: Path) -> Source:
    """``RAVDESS`` and ``HDTF``, or one of them, each with ``audio/NAME.wav`` and ``blendshape/NAME.npy``.

    Speakers are read from the names: the last of the seven numbers of RAVDESS (``03-01-06-01-02-01-12`` is actor 12),
    and HDTF's video (``RD_Radio11_000`` is of ``RD_Radio11``).
    """
    annotation = released_annotations()["3DETF_blendshape_weight"]
    recordings, problems = [], []
    for weights_folder, sound_folder in _parts(folder):
        sounds = find_sounds(sound_folder)
        weights = {path.stem: path for path in sorted(weights_folder.glob("*.npy"))}
        for name, path in weights.items():
            if name in sounds:
                read = partial(_read, path, sounds[name], annotation)
                recordings.append(Recording(name, _speaker(name), read))
        problems += [f"{name} has no sound" for name in sorted(set(weights) - set(sounds))]
        problems += [f"{name} has sound and no motion" for name in sorted(set(sounds) - set(weights))]
    return Source(folder, "3D-ETF", annotation, tuple(recordings), problems=tuple(problems))


def _parts(folder: Path) -> list[tuple[Path, Path]]:
    """Pairs of folders with weights and sounds."""
    pairs = []
    for part in (folder, *sorted(path for path in folder.glob("*") if path.is_dir())):
        weights = next((part / name for name in _WEIGHTS if (part / name).is_dir()), None)
        sounds = next((part / name for name in _SOUNDS if (part / name).is_dir()), None)
        if weights and sounds:
            pairs.append((weights, sounds))
    return pairs


def _speaker(name: str) -> str:
    fields = name.split("-")
    if len(fields) == _RAVDESS_FIELDS and all(field.isdigit() for field in fields):
        return f"Actor_{fields[-1]}"
    video, _, clip = name.rpartition("_")
    return video if video and clip.isdigit() else name


def _read(weights: Path, sound: Path, annotation: Annotation) -> Clip:
    motion = np.asarray(open_frames(weights, annotation.dim), np.float32)
    return Clip(weights.stem, read_sound(sound), motion, _speaker(weights.stem), annotation)

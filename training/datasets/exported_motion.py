"""Motion files of this project with a sound beside each: what Blender exports an Action to, and what `animate` writes.

``NAME.npz`` or ``NAME.json`` as ``docs/protocol.md`` describes them (values, names, fps, unit ``weight``, annotation),
and ``NAME.wav`` (``.flac``, ``.ogg``, ``.mp3``) or, in the JSON, ``sound`` with a path relative to it. Weights are 0 at
rest; a shape key that a file does not have rested in it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from backend.annotation import Annotation, FaceMotion
from backend.errors import UniTalkerError
from backend.importing import read_motion
from training.datasets.clip import Clip
from training.datasets.source import Recording, Source
from training.datasets.takes import find_sound, person_of, read_take_sound, unique_names

_SUFFIXES = (".npz", ".json")
_LISTS = {"train", "val", "test", "annotation", "take", "video_metadata", "audio_metadata"}


def is_exported_motion(folder: Path) -> bool:
    """Whether there are motion files with sound in the folder."""
    return any(find_sound(path, path.stem) is not None for path in _find_motions(folder))


def open_exported_motion(folder: Path, identity: str | None = None) -> Source:
    """All motion files in a folder and the folders in it.

    Args:
        folder: each file belongs to the person its folder is named after.
        identity: whose face it is in all of them.

    Raises:
        UniTalkerError: a file is damaged, holds no blendshape weights, or is of another annotation type than the rest.
    """
    motions = {path: read_motion(path) for path in _find_motions(folder)}
    annotation = _common_annotation(motions)
    names = unique_names(motions, folder)
    recordings, problems = [], []
    for path, motion in motions.items():
        sound = _sound_of(path, motion)
        if sound is None:
            problems.append(f"{path.relative_to(folder)} has no sound of its name beside it")
            continue
        person = identity or person_of(path, folder, is_take=lambda _: False)
        read = partial(_read, path, sound, names[path], person, annotation.names)
        recordings.append(Recording(names[path], person, read))
    return Source(folder, "exported motion", annotation, tuple(recordings), problems=tuple(problems))


def _find_motions(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix in _SUFFIXES and path.stem not in _LISTS]


def _sound_of(path: Path, motion: FaceMotion) -> Path | None:
    named = path.parent / motion.sound if motion.sound else None
    return named if named is not None and named.is_file() else find_sound(path, path.stem)


def _common_annotation(motions: dict[Path, FaceMotion]) -> Annotation:
    """With the channels of all files in the order in which they appear."""
    (first, motion), *_ = motions.items()
    channels: dict[str, None] = {}
    for path, other in motions.items():
        annotation = other.annotation
        if annotation.kind != "blendshapes":
            raise UniTalkerError("data.annotation", f"{path} holds {annotation.kind}, not blendshape weights.")
        if annotation.type_name != motion.annotation.type_name:
            raise UniTalkerError(
                "data.annotation",
                f"{path} is of type {annotation.type_name}, {first} of {motion.annotation.type_name}.",
                "Put different heads into different folders.",
            )
        channels |= dict.fromkeys(annotation.names)
    return motion.annotation.model_copy(update={"dim": len(channels), "names": tuple(channels), "fps": motion.fps})


def _read(path: Path, sound: Path, name: str, identity: str, channels: tuple[str, ...]) -> Clip:
    motion = read_motion(path)
    values = np.zeros((len(motion.values), len(channels)), np.float32)
    values[:, [channels.index(channel) for channel in motion.annotation.names]] = motion.values
    annotation = motion.annotation.model_copy(update={"dim": len(channels), "names": channels, "fps": motion.fps})
    return Clip(name, read_take_sound(sound), values, identity, annotation)

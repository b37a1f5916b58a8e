"""A folder of sounds, with what a model says to them or with motion from files, ready to be measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from backend.annotation import FaceMotion
from backend.audio import read_audio
from backend.engines.base import Engine
from backend.errors import UniTalkerError
from backend.importing import READERS, read_motion
from backend.inference import AnimateOptions, animate
from backend.prosody import FRAMES_PER_SECOND
from training.motion_measures.lips import find_lips
from training.motion_measures.phones import Phone, is_phone_file
from training.motion_measures.recording import Voice, hear
from training.motion_measures.takes import Take

SOUNDS = frozenset({".wav", ".flac", ".ogg", ".mp3"})

_LONGEST_MISMATCH = 0.5
"""Seconds by which motion and sound may differ in length; beyond that they are hardly of one recording."""


def find_sounds(folder: Path) -> list[Path]:
    """Sound files of a folder, at any depth.

    Raises:
        UniTalkerError: there is none.
    """
    if not folder.is_dir():
        raise UniTalkerError("evaluation.no_folder", f"There is no folder {folder}.", "Check the name.")
    sounds = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SOUNDS)
    if not sounds:
        raise UniTalkerError(
            "evaluation.no_sounds",
            f"There is no sound file in {folder}.",
            f"Sounds end in {', '.join(sorted(SOUNDS))}.",
        )
    return sounds


def hear_sounds(sounds: Iterable[Path], phones: Mapping[str, Sequence[Phone]]) -> Iterator[tuple[Path, Voice]]:
    """Listens to each sound; its phones go by its name without ending."""
    for path in sounds:
        yield path, hear(read_audio(path).samples, phones.get(path.stem, ()))


def animated(
    engine: Engine, sounds: Iterable[Path], phones: Mapping[str, Sequence[Phone]], options: AnimateOptions
) -> Iterator[Take]:
    """What a model says to each sound.

    Args:
        engine: the model, loaded.
        sounds: files.
        phones: by file name without ending.
        options: head and identity.
    """
    for path in sounds:
        audio = read_audio(path)
        voice = hear(audio.samples, phones.get(path.stem, ()))
        yield Take(path.stem, "", animate(engine, audio, options), voice)


def read_motions(folder: Path, sounds: Sequence[Path]) -> dict[str, FaceMotion]:
    """Motion files of a folder that belong to sounds, by the name of the sound without ending.

    Raises:
        UniTalkerError: a file is damaged, none belongs to any of the sounds, it is not clear which belongs to which,
            or they are of different heads.
    """
    found = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in READERS and not is_phone_file(path)]
    files = {path.stem: path for path in found}
    _check_names(sounds)
    _check_names([path for path in found if path.stem in {sound.stem for sound in sounds}])
    motions = {sound.stem: read_motion(files[sound.stem]) for sound in sounds if sound.stem in files}
    if not motions:
        raise UniTalkerError(
            "evaluation.no_motion",
            f"{folder} holds no motion file with the name of one of the sounds.",
            f"Motion files end in {', '.join(READERS)} and are called as their sounds.",
        )
    kinds = {motion.annotation.channel_names: name for name, motion in motions.items()}
    if len(kinds) > 1:
        one, other = list(kinds.values())[:2]
        raise UniTalkerError(
            "evaluation.channels",
            f"{one} and {other} in {folder} have different channels.",
            "Evaluate the motion of one head at a time.",
        )
    return motions


def _check_names(paths: Sequence[Path]) -> None:
    """Raises ``evaluation.same_name`` if two files have the same name without ending."""
    first: dict[str, Path] = {}
    for path in paths:
        other = first.setdefault(path.stem, path)
        if other != path:
            raise UniTalkerError(
                "evaluation.same_name",
                f"{other} and {path} have the same name, so it is not clear which motion belongs to which sound.",
                "Rename one, or evaluate one folder at a time.",
            )


def beside_sounds(motions: Mapping[str, FaceMotion], voices: Iterable[tuple[Path, Voice]]) -> Iterator[Take]:
    """Motion from files with its sounds; sounds without motion are left out.

    Raises:
        UniTalkerError: a motion and its sound differ in length by more than half a second.
    """
    for path, voice in voices:
        motion = motions.get(path.stem)
        if motion is None:
            continue
        seconds = float(voice.times[-1]) + 1 / FRAMES_PER_SECOND
        if abs(motion.duration - seconds) > _LONGEST_MISMATCH:
            raise UniTalkerError(
                "evaluation.length",
                f"{path.stem} has {seconds:.2f} s of sound and {motion.duration:.2f} s of motion.",
                "Check the frame rate and that both begin together.",
            )
        yield Take(path.stem, "", motion, voice)


def with_lips(takes: Sequence[Take], vertices: np.ndarray) -> list[Take]:
    """Takes of vertices with the lips that the measures need.

    Args:
        takes: of one head, whole faces.
        vertices: int (L,), which vertices are lips.

    Raises:
        UniTalkerError: the indices are of another topology.
    """
    count = takes[0].motion.annotation.dim // 3
    if vertices.min() < 0 or vertices.max() >= count:
        raise UniTalkerError(
            "evaluation.lips",
            f"Lip vertices up to {vertices.max()} do not belong to a face of {count} vertices.",
            "Give the lip indices of this topology.",
        )
    face = np.mean([take.motion.values.mean(axis=0) for take in takes], axis=0).astype(np.float32)
    moved = [replace(take, motion=replace(take.motion, values=take.motion.values - face)) for take in takes]
    shape = face.reshape(-1, 3)
    lips = find_lips(np.concatenate([take.motion.values for take in moved]).reshape(-1, *shape.shape), shape, vertices)
    return [replace(take, face=shape, lips=lips) for take in moved]

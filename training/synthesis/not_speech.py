"""Sound without speech and a mouth at rest: what a model must not answer.

The clips belong to the people of other data sets, since a person who only ever rests would teach the model to know
the person, not the sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backend.audio import SAMPLE_RATE
from backend.errors import UniTalkerError
from training.backgrounds import BACKGROUNDS, at_level, crowd, white
from training.datasets.official import OfficialDataSet
from training.synthesis.corpus import CorpusWriter, LabelledSpeech
from training.synthesis.phones import SILENCE
from training.synthesis.timeline import Phone

NO_LANGUAGE = "zxx"
"""ISO 639 for what is no language."""

ROOM, CROWD = "room", "crowd"
KINDS = (ROOM, *BACKGROUNDS, CROWD)

_SECONDS = (3.0, 10.0)
_ROOM_LEVEL, _LEVEL = (-85.0, -58.0), (-50.0, -16.0)
_MIXED = 0.25
_VOICES = 40


def make_not_speech(folder: Path, beside: Sequence[Path], minutes: float, seed: int) -> dict[str, float]:
    """Writes the data set, or goes on where an interrupted run stopped.

    Args:
        folder: new or empty, or of the interrupted run.
        beside: data sets of blendshape weights in the official layout; channels and frame rate are those of the first,
            people and the voices of the crowds those of all.
        minutes: of sound, in equal parts of each kind.
        seed: of the sounds.

    Returns:
        Minutes by kind.

    Raises:
        UniTalkerError: a data set cannot be read or has other channels than the first.
    """
    sets = [OfficialDataSet(path) for path in beside]
    annotation = sets[0].annotation
    for data in sets:
        if data.annotation.kind != "blendshapes" or data.annotation.names != annotation.names:
            raise UniTalkerError(
                "synthesis.channels", f"{data.folder} has not the blendshape channels of {sets[0].folder}."
            )
    people = list(dict.fromkeys(person for data in sets for person in data.identities))
    settings = {"beside": [str(path) for path in beside], "minutes": minutes, "seed": seed}
    writer = CorpusWriter(folder, annotation.names, annotation.fps, settings)
    voices = _voices(sets, np.random.default_rng([seed, 0]))
    number = 0
    while writer.total_seconds < 60 * minutes:
        number += 1
        kind = KINDS[number % len(KINDS)]
        name = f"{kind}_{number:05d}"
        if writer.seconds_of(name) is None:
            rng = np.random.default_rng([seed, number])
            person = people[rng.integers(len(people))]
            frames = round(rng.uniform(*_SECONDS) * annotation.fps)
            sound = _sound(kind, round(frames * SAMPLE_RATE / annotation.fps), voices, rng)
            still = np.zeros((frames, len(annotation.names)), np.float32)
            phones = (Phone(0.0, len(sound) / SAMPLE_RATE, SILENCE),)
            writer.add(LabelledSpeech(name, person, kind, NO_LANGUAGE, sound, still, phones))
    clips = writer.journal.find("clip")
    made = {kind: sum(clip["seconds"] for clip in clips if clip["text"] == kind) / 60 for kind in KINDS}
    writer.finish({"seed": seed, "sounds": "made from numbers; crowds of the voices of the data sets", **settings})
    return made


def _sound(kind: str, length: int, voices: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """A kind of sound, at times over another, as float32 within -1 to 1."""
    if kind == ROOM:
        sound = at_level(white(length, rng), rng.uniform(*_ROOM_LEVEL))
    else:
        made = crowd(length, voices, rng) if kind == CROWD else BACKGROUNDS[kind](length, rng)
        sound = at_level(made, rng.uniform(*_LEVEL))
        if rng.random() < _MIXED:
            other = BACKGROUNDS[str(rng.choice(list(BACKGROUNDS)))](length, rng)
            sound = sound + at_level(other, rng.uniform(*_LEVEL))
    clipped: np.ndarray = np.clip(sound, -1, 1).astype(np.float32)
    return clipped


def _voices(sets: Sequence[OfficialDataSet], rng: np.random.Generator) -> list[np.ndarray]:
    """Sound of a few clips of each data set."""
    voices = []
    for data in sets:
        clips = list(data.readers("train"))
        for place in rng.permutation(len(clips))[: max(_VOICES // len(sets), 1)]:
            if (clip := clips[place].read()) is not None:
                voices.append(clip.audio)
    return voices

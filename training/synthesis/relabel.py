"""New labels for speech that was synthesised before: a better teacher needs no new speech."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from backend.errors import UniTalkerError
from backend.export.atomic import atomic_write
from training.datasets.clip import SPLITS
from training.datasets.files import read_json
from training.datasets.official import OfficialDataSet
from training.datasets.writer import AUDIO, CLIPS
from training.synthesis.corpus import PHONES_FILE, file_hash
from training.synthesis.journal import TEACHER_FILE
from training.synthesis.pipeline import Labeller
from training.synthesis.teacher import Teacher
from training.synthesis.timeline import Phone, Timeline


def relabel(folder: Path, teacher: Teacher) -> int:
    """Replaces the motion of all clips of a finished data set of `synthesise`, its teacher and its manifest.

    Interrupted, it leaves whole clips, some old and some new; the same call again makes all of them new.

    Returns:
        How many clips there are.

    Raises:
        UniTalkerError: the folder is no such data set, or the teacher has other channels.
    """
    data, manifest = OfficialDataSet(folder), read_json(folder / "manifest.json")
    if data.annotation.names != teacher.names or data.annotation.fps != teacher.fps:
        raise UniTalkerError("synthesis.teacher", f"The teacher has other channels or frames than {folder}.")
    phones = read_json(folder / AUDIO / PHONES_FILE)
    labeller = Labeller(teacher)
    for clip in (clip for split in SPLITS if data.has_split(split) for clip in data.clips(split)):
        motion = labeller.motion(_timeline(phones[clip.name]), clip.audio, len(clip.motion))
        with atomic_write(folder / CLIPS / f"{clip.name}.npy") as file:
            np.save(file, motion, allow_pickle=False)
    for entry in manifest["clips"]:
        entry["motion_sha256"] = file_hash(folder / CLIPS / f"{entry['name']}.npy")
    teacher.save(folder / TEACHER_FILE)
    with atomic_write(folder / "manifest.json") as file:
        file.write(json.dumps({**manifest, "teacher": teacher.provenance}, ensure_ascii=False, indent=1).encode())
    return len(manifest["clips"])


def _timeline(rows: list[list[Any]]) -> Timeline:
    return tuple(Phone(float(start), float(end), str(ipa)) for start, end, _, ipa in rows)

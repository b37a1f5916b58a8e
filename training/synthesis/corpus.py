"""Writes labelled speech as a data set in the official layout, with phones.json beside the sounds and a manifest.

A row of phones.json is start and end in seconds, the nearest ARPAbet symbol, and the phone itself in IPA.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backend.annotation import Annotation
from backend.audio import SAMPLE_RATE
from backend.export.atomic import atomic_write
from training.datasets.clip import Clip, Split
from training.datasets.writer import AUDIO, OfficialWriter
from training.synthesis.journal import Journal
from training.synthesis.phones import to_arpabet
from training.synthesis.timeline import Timeline

PHONES_FILE = "phones.json"
ANNOTATION_TYPE = "mediapipe_blendshape_weight"

_VALIDATION_SHARE = 20


@dataclass(frozen=True)
class LabelledSpeech:
    """One clip.

    Attributes:
        name: unique in the data set; file name without ending.
        identity: whose voice and face it is.
        text: what is said, and its `language`.
        audio: float32 (n,) at 16 kHz.
        motion: float32 (T, channels) relative to rest.
        phones: from 0 to the end of the audio.
    """

    name: str
    identity: str
    text: str
    language: str
    audio: np.ndarray
    motion: np.ndarray
    phones: Timeline


class CorpusWriter:
    """Writes clips as they come and the lists at the end.

    Args:
        folder: new, empty, or of an interrupted run with the same settings, which goes on.
        names: channels of the motion.
        fps: its frame rate.
        settings: what decides on the content of the data set.

    Raises:
        UniTalkerError: the folder holds something else.
    """

    def __init__(self, folder: Path, names: Sequence[str], fps: float, settings: dict[str, Any] | None = None) -> None:
        self._annotation = Annotation(
            type_name=ANNOTATION_TYPE, kind="blendshapes", dim=len(names), fps=fps, unit="weight", names=tuple(names)
        )
        self.journal = Journal(folder, settings or {})
        self._writer = OfficialWriter(folder, self._annotation, resumed=True)
        self._folder = folder
        self._seconds: dict[str, float] = {}
        self._trained: set[str] = set()
        for clip in self.journal.find("clip"):
            self._writer.list_clip(clip["name"], clip["identity"], self._split(clip["name"], clip["identity"]))
            self._seconds[clip["name"]] = clip["seconds"]

    @property
    def total_seconds(self) -> float:
        """Of all clips so far."""
        return sum(self._seconds.values())

    def seconds_of(self, name: str) -> float | None:
        """How long a clip is that is there already."""
        return self._seconds.get(name)

    def add(self, clip: LabelledSpeech) -> None:
        """Writes sound and motion of a clip.

        Raises:
            ValueError: motion and names do not match.
        """
        motion, audio = self._writer.add(
            Clip(clip.name, clip.audio, clip.motion, clip.identity, self._annotation),
            self._split(clip.name, clip.identity),
        )
        entry: dict[str, Any] = {
            "name": clip.name,
            "identity": clip.identity,
            "language": clip.language,
            "text": clip.text,
            "seconds": round(len(clip.audio) / SAMPLE_RATE, 3),
            "motion_sha256": file_hash(motion),
            "audio_sha256": file_hash(audio),
        }
        rows = [(round(p.start, 3), round(p.end, 3), to_arpabet(p.symbol), p.symbol) for p in clip.phones]
        self.journal.add({"clip": entry, "phones": rows})
        self._seconds[clip.name] = entry["seconds"]

    def finish(self, provenance: dict[str, Any]) -> None:
        """Writes the lists of the official layout, phones.json and manifest.json.

        Args:
            provenance: what the manifest says beside the clips: seed, licences of voices and text, teacher.
        """
        clips: list[dict[str, Any]] = self.journal.find("clip")
        phones = {entry["clip"]["name"]: entry["phones"] for entry in self.journal.entries if "clip" in entry}
        self._writer.finish(note="synthetic; weights relative to the resting face, so rest is 0")
        self._write(f"{AUDIO}/{PHONES_FILE}", phones)
        minutes = {key: _minutes(clips, key) for key in ("language", "identity")}
        self._write("manifest.json", {**provenance, "minutes": minutes, "clips": clips})
        self.journal.close()

    def _split(self, name: str, identity: str) -> Split:
        """That of the name, but the first clip of everybody is trained on: a model must know whom it is tested on."""
        split = split_of(name) if identity in self._trained else "train"
        self._trained.add(identity)
        return split

    def _write(self, name: str, content: dict[str, Any]) -> None:
        with atomic_write(self._folder / name) as file:
            file.write(json.dumps(content, ensure_ascii=False, indent=1).encode())


def _minutes(clips: Sequence[dict[str, Any]], key: str) -> dict[str, float]:
    seconds: dict[str, float] = defaultdict(float)
    for clip in clips:
        seconds[clip[key]] += clip["seconds"]
    return {name: round(total / 60, 2) for name, total in seconds.items()}


def split_of(name: str) -> Split:
    """``val`` for one clip in twenty, by the hash of its name, else ``train``."""
    return "train" if int(hashlib.sha256(name.encode()).hexdigest(), 16) % _VALIDATION_SHARE else "val"


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Writes labelled speech as a data set in the official layout, with phones.json and a manifest beside it."""

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
from training.datasets.clip import Clip, Split
from training.datasets.writer import OfficialWriter
from training.synthesis.phones import SILENCE, to_arpabet
from training.synthesis.timeline import Timeline

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
        folder: new or empty.
        names: channels of the motion.
        fps: its frame rate.

    Raises:
        UniTalkerError: the folder already holds something.
    """

    def __init__(self, folder: Path, names: Sequence[str], fps: float) -> None:
        self._annotation = Annotation(
            type_name=ANNOTATION_TYPE, kind="blendshapes", dim=len(names), fps=fps, unit="weight", names=tuple(names)
        )
        self._writer = OfficialWriter(folder, self._annotation)
        self._folder = folder
        self._phones: dict[str, list[tuple[float, float, str, str]]] = {}
        self._clips: list[dict[str, Any]] = []
        self._seconds: dict[str, float] = defaultdict(float)

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of speech by identity, so far."""
        return dict(self._seconds)

    def add(self, clip: LabelledSpeech) -> None:
        """Writes sound and motion of a clip.

        Raises:
            ValueError: motion and names do not match.
        """
        motion, audio = self._writer.add(
            Clip(clip.name, clip.audio, clip.motion, clip.identity, self._annotation), split_of(clip.name)
        )
        self._phones[clip.name] = [
            (round(p.start, 3), round(p.end, 3), to_arpabet(p.symbol), "<sil>" if p.symbol == SILENCE else "")
            for p in clip.phones
        ]
        self._clips.append(
            {
                "name": clip.name,
                "identity": clip.identity,
                "language": clip.language,
                "text": clip.text,
                "motion_sha256": file_hash(motion),
                "audio_sha256": file_hash(audio),
            }
        )
        self._seconds[clip.identity] += len(clip.audio) / SAMPLE_RATE

    def finish(self, provenance: dict[str, Any]) -> None:
        """Writes the lists of the official layout, phones.json and manifest.json.

        Args:
            provenance: what the manifest says beside the clips: seed, licences of voices and text, teacher.
        """
        self._writer.finish(note="synthetic speech; weights relative to the resting face, so rest is 0")
        self._write("phones.json", self._phones)
        minutes = {identity: round(seconds / 60, 2) for identity, seconds in self._seconds.items()}
        self._write("manifest.json", {**provenance, "minutes": minutes, "clips": self._clips})

    def _write(self, name: str, content: dict[str, Any]) -> None:
        (self._folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")


def split_of(name: str) -> Split:
    """``val`` for one clip in twenty, by the hash of its name, else ``train``."""
    return "train" if int(hashlib.sha256(name.encode()).hexdigest(), 16) % _VALIDATION_SHARE else "val"


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

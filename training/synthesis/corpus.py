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
import soundfile

from backend.audio import SAMPLE_RATE
from backend.errors import UniTalkerError
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
        if folder.exists() and any(folder.iterdir()):
            raise UniTalkerError(
                "synthesis.output", f"{folder} is not empty.", "Name a new folder for the synthetic data set."
            )
        self._folder, self._names, self._fps = folder, tuple(names), fps
        self._identities: list[str] = []
        self._splits: dict[str, list[dict[str, Any]]] = {"train": [], "val": []}
        self._phones: dict[str, list[tuple[float, float, str, str]]] = {}
        self._clips: list[dict[str, Any]] = []
        self._seconds: dict[str, float] = defaultdict(float)
        for part in ("clips", "audio"):
            (folder / part).mkdir(parents=True, exist_ok=True)

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of speech by identity, so far."""
        return dict(self._seconds)

    def add(self, clip: LabelledSpeech) -> None:
        """Writes sound and motion of a clip.

        Raises:
            ValueError: motion and names do not match.
        """
        if clip.motion.shape[1:] != (len(self._names),):
            raise ValueError(f"{clip.name}: motion of shape {clip.motion.shape} for {len(self._names)} channels")
        motion, audio = Path("clips", f"{clip.name}.npy"), Path("audio", f"{clip.name}.flac")
        np.save(self._folder / motion, clip.motion.astype(np.float32), allow_pickle=False)
        soundfile.write(self._folder / audio, clip.audio, SAMPLE_RATE, subtype="PCM_16")
        if clip.identity not in self._identities:
            self._identities.append(clip.identity)
        self._splits[split_of(clip.name)].append(
            {
                "annot_path": motion.as_posix(),
                "audio_path": audio.as_posix(),
                "id": self._identities.index(clip.identity),
                "annot_type": ANNOTATION_TYPE,
                "dataset": self._folder.name,
                "fps": self._fps,
            }
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
                "motion_sha256": file_hash(self._folder / motion),
                "audio_sha256": file_hash(self._folder / audio),
            }
        )
        self._seconds[clip.identity] += len(clip.audio) / SAMPLE_RATE

    def finish(self, provenance: dict[str, Any]) -> None:
        """Writes train.json, val.json, id_template.npy, annotation.json, phones.json and manifest.json.

        Args:
            provenance: what the manifest says beside the clips: seed, licences of voices and text, teacher.
        """
        for split, entries in self._splits.items():
            self._write(f"{split}.json", {"info": {"id_list": self._identities}, "data": entries})
        shape = (len(self._identities), len(self._names))
        np.save(self._folder / "id_template.npy", np.zeros(shape, np.float32), allow_pickle=False)
        self._write(
            "annotation.json",
            {
                "annot_type": ANNOTATION_TYPE,
                "dataset": self._folder.name,
                "fps": self._fps,
                "kind": "blendshapes",
                "dim": len(self._names),
                "names": self._names,
                "note": "synthetic speech; weights relative to the resting face, so rest is 0",
            },
        )
        self._write("phones.json", self._phones)
        minutes = {identity: round(seconds / 60, 2) for identity, seconds in self._seconds.items()}
        self._write("manifest.json", {**provenance, "minutes": minutes, "clips": self._clips})

    def _write(self, name: str, content: dict[str, Any]) -> None:
        (self._folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")


def split_of(name: str) -> str:
    """``val`` for one clip in twenty, by the hash of its name, else ``train``."""
    return "train" if int(hashlib.sha256(name.encode()).hexdigest(), 16) % _VALIDATION_SHARE else "val"


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

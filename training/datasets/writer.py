"""Writes clips as a data set in the layout of the UniTalker release, which the official code reads too."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from backend.annotation import Annotation
from backend.audio import SAMPLE_RATE
from backend.errors import UniTalkerError
from backend.export.atomic import atomic_write
from training.datasets.clip import HEAD_CHANNELS, Clip, Split
from training.pca import PcaBasis

PCA_FILE = "pca.npz"
TEMPLATE_FILE = "id_template.npy"
CLIPS, AUDIO, HEAD = "clips", "audio", "head"
"""Folders of the motion, the sound and, where it is known, the rotation of the head."""


class OfficialWriter:
    """Writes clips as they come and the lists at the end.

    Files hold what the release holds: positions or weights with the identity's template in them, divided by the
    annotation's scale.

    Args:
        folder: new or empty, unless `resumed`.
        annotation: of all clips; its `fps` is stored.
        templates: (D,) by identity, in the unit of the annotation; identities without one rest at 0.
        name: of the data set; that of the folder if left out.
        resumed: whether the folder may hold clips of an earlier attempt, which are then named with `list_clip`.

    Raises:
        UniTalkerError: the folder already holds something.
    """

    def __init__(
        self,
        folder: Path,
        annotation: Annotation,
        templates: Mapping[str, np.ndarray] | None = None,
        name: str | None = None,
        resumed: bool = False,
    ) -> None:
        if not resumed and folder.exists() and any(folder.iterdir()):
            raise UniTalkerError("data.output", f"{folder} is not empty.", "Name a new folder for the data set.")
        self._folder, self._annotation, self._name = folder, annotation, name or folder.name
        self._templates = dict(templates or {})
        # With all of them listed from the start, since a row of the templates belongs to each.
        self._identities = list(self._templates)
        self._splits: dict[Split, list[dict[str, Any]]] = {"train": [], "val": [], "test": []}
        for part in (CLIPS, AUDIO):
            (folder / part).mkdir(parents=True, exist_ok=True)

    def add(self, clip: Clip, split: Split) -> tuple[Path, Path]:
        """Writes motion and sound of a clip; returns their files.

        Raises:
            ValueError: motion and annotation do not match.
        """
        if clip.motion.shape[1:] != (self._annotation.dim,):
            raise ValueError(f"{clip.name}: motion of shape {clip.motion.shape} for {self._annotation.dim} channels")
        motion, audio = self._files(clip.name)
        self._save(motion, self._stored(clip.motion + self._template(clip.identity)))
        with atomic_write(self._folder / audio) as file:
            file.write(_flac(clip.audio))
        if clip.head is not None:
            (self._folder / HEAD).mkdir(exist_ok=True)
            self._save(Path(HEAD, motion.name), clip.head)
        self.list_clip(clip.name, clip.identity, split)
        return self._folder / motion, self._folder / audio

    def list_clip(self, name: str, identity: str, split: Split) -> None:
        """Puts a clip whose files are there into the list of a split."""
        motion, audio = self._files(name)
        if identity not in self._identities:
            self._identities.append(identity)
        self._splits[split].append(
            {
                "annot_path": motion.as_posix(),
                "audio_path": audio.as_posix(),
                "id": self._identities.index(identity),
                "annot_type": self._annotation.type_name,
                "dataset": self._name,
                "fps": self._annotation.fps,
            }
        )

    def finish(
        self, basis: PcaBasis | None = None, note: str = "", neutral: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """Writes train.json, val.json, test.json, id_template.npy, annotation.json and, of a basis, pca.npz.

        Args:
            basis: of the displacements from the template, in the unit of the annotation (`training.pca.fit_pca`).
            note: a sentence for annotation.json.
            neutral: resting weights by identity, for annotation.json.
        """
        for split, entries in self._splits.items():
            # Identities are counted anew in each list, so each has all of them.
            self._write(f"{split}.json", {"info": {"id_list": self._identities}, "data": entries})
        rows = [self._stored(self._template(identity)) for identity in self._identities]
        self._save(Path(TEMPLATE_FILE), np.array(rows, np.float32))
        if basis:
            basis.save(self._folder / PCA_FILE)
        annotation = self._annotation
        description = {
            "annot_type": annotation.type_name,
            "title": annotation.title,
            "dataset": self._name,
            "fps": annotation.fps,
            "kind": annotation.kind,
            "dim": annotation.dim,
            "scale": annotation.scale,
            "names": annotation.names,
        }
        if (self._folder / HEAD).is_dir():
            description["head"] = {"folder": HEAD, "names": HEAD_CHANNELS, "unit": "rad"}
        if neutral:
            description["neutral"] = {identity: row.tolist() for identity, row in neutral.items()}
        self._write("annotation.json", description | ({"note": note} if note else {}))

    def _template(self, identity: str) -> np.ndarray:
        return self._templates.get(identity, np.zeros(self._annotation.dim, np.float32))

    def _stored(self, values: np.ndarray) -> np.ndarray:
        stored: np.ndarray = (values / self._annotation.scale).astype(np.float32)
        return stored

    @staticmethod
    def _files(name: str) -> tuple[Path, Path]:
        """Motion and sound of a clip, relative to the folder."""
        return Path(CLIPS, f"{name}.npy"), Path(AUDIO, f"{name}.flac")

    def _save(self, name: Path, values: np.ndarray) -> None:
        with atomic_write(self._folder / name) as file:
            np.save(file, values, allow_pickle=False)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        with atomic_write(self._folder / name) as file:
            file.write(json.dumps(content, ensure_ascii=False, indent=1).encode())


def _flac(samples: np.ndarray) -> bytes:
    """Encoded in memory: an error of the disk would be lost on its way through the encoder."""
    encoded = io.BytesIO()
    soundfile.write(encoded, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return encoded.getvalue()

"""Writes clips as a data set in the layout of the UniTalker release, which the official code reads too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from backend.annotation import Annotation
from backend.audio import SAMPLE_RATE
from backend.errors import UniTalkerError
from training.datasets.clip import Clip, Split
from training.pca import PcaBasis

PCA_FILE = "pca.npz"
TEMPLATE_FILE = "id_template.npy"


class OfficialWriter:
    """Writes clips as they come and the lists at the end.

    Files hold what the release holds: positions or weights with the identity's template in them, divided by the
    annotation's scale.

    Args:
        folder: new or empty.
        annotation: of all clips; its `fps` is stored.
        templates: (D,) by identity, in the unit of the annotation; identities without one rest at 0.

    Raises:
        UniTalkerError: the folder already holds something.
    """

    def __init__(self, folder: Path, annotation: Annotation, templates: Mapping[str, np.ndarray] | None = None) -> None:
        if folder.exists() and any(folder.iterdir()):
            raise UniTalkerError("data.output", f"{folder} is not empty.", "Name a new folder for the data set.")
        self._folder, self._annotation = folder, annotation
        self._templates = dict(templates or {})
        # With all of them listed from the start, since a row of the templates belongs to each.
        self._identities = list(self._templates)
        self._splits: dict[Split, list[dict[str, Any]]] = {"train": [], "val": [], "test": []}
        for part in ("clips", "audio"):
            (folder / part).mkdir(parents=True, exist_ok=True)

    def add(self, clip: Clip, split: Split) -> tuple[Path, Path]:
        """Writes motion and sound of a clip; returns their files.

        Raises:
            ValueError: motion and annotation do not match.
        """
        if clip.motion.shape[1:] != (self._annotation.dim,):
            raise ValueError(f"{clip.name}: motion of shape {clip.motion.shape} for {self._annotation.dim} channels")
        motion, audio = Path("clips", f"{clip.name}.npy"), Path("audio", f"{clip.name}.flac")
        stored = self._stored(clip.motion + self._template(clip.identity))
        np.save(self._folder / motion, stored, allow_pickle=False)
        soundfile.write(self._folder / audio, clip.audio, SAMPLE_RATE, subtype="PCM_16")
        if clip.identity not in self._identities:
            self._identities.append(clip.identity)
        self._splits[split].append(
            {
                "annot_path": motion.as_posix(),
                "audio_path": audio.as_posix(),
                "id": self._identities.index(clip.identity),
                "annot_type": self._annotation.type_name,
                "dataset": self._folder.name,
                "fps": self._annotation.fps,
            }
        )
        return self._folder / motion, self._folder / audio

    def finish(self, basis: PcaBasis | None = None, note: str = "") -> None:
        """Writes train.json, val.json, test.json, id_template.npy, annotation.json and, of a basis, pca.npz.

        Args:
            basis: of the displacements from the template, in the unit of the annotation (`training.pca.fit_pca`).
            note: a sentence for annotation.json.
        """
        for split, entries in self._splits.items():
            # Identities are counted anew in each list, so each has all of them.
            self._write(f"{split}.json", {"info": {"id_list": self._identities}, "data": entries})
        rows = [self._stored(self._template(identity)) for identity in self._identities]
        np.save(self._folder / TEMPLATE_FILE, np.array(rows, np.float32), allow_pickle=False)
        if basis:
            basis.save(self._folder / PCA_FILE)
        annotation = self._annotation
        description = {
            "annot_type": annotation.type_name,
            "title": annotation.title,
            "dataset": self._folder.name,
            "fps": annotation.fps,
            "kind": annotation.kind,
            "dim": annotation.dim,
            "scale": annotation.scale,
            "names": annotation.names,
        }
        self._write("annotation.json", description | ({"note": note} if note else {}))

    def _template(self, identity: str) -> np.ndarray:
        return self._templates.get(identity, np.zeros(self._annotation.dim, np.float32))

    def _stored(self, values: np.ndarray) -> np.ndarray:
        stored: np.ndarray = (values / self._annotation.scale).astype(np.float32)
        return stored

    def _write(self, name: str, content: dict[str, Any]) -> None:
        (self._folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")

"""Data sets in the layout of the UniTalker release.

A folder holds ``train.json``, ``val.json`` and ``test.json`` with paths relative to it, ``id_template.npy`` with one
row per identity, and beside them ``annotation.json``, which says what the numbers mean and which only the folders of
the release do without. Clips are read when asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from backend.annotation import Annotation, Kind
from backend.audio import SAMPLE_RATE, read_audio
from backend.errors import UniTalkerError
from backend.official_release import released_annotations

Split = Literal["train", "val", "test"]

LONGEST_CLIP = 20.0
SHORTEST_CLIP = 0.5

_UNITS: dict[Kind, Literal["weight", "m", "parameter"]] = {
    "blendshapes": "weight",
    "vertices": "m",
    "flame": "parameter",
}
_DECIMATION = {25.0: 1, 30.0: 1, 60.0: 2, 100.0: 4}


@dataclass(frozen=True)
class Clip:
    """A recording.

    Attributes:
        name: file name without ending, unique in its data set.
        audio: float32, 16 kHz mono.
        motion: float32 (T, D), displacement from the identity's template, unit of the annotation.
        identity: whose face it is.
        annotation: what the channels are; its `fps` is that of `motion`.
    """

    name: str
    audio: np.ndarray
    motion: np.ndarray
    identity: str
    annotation: Annotation

    @property
    def fps(self) -> float:
        return self.annotation.fps


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    annot_path: str
    audio_path: str
    id: int
    annot_type: str
    fps: float


class OfficialDataSet:
    """One folder.

    Args:
        folder: of the data set.
        identities: names to use instead of those of the ``id_list``, in its order.

    Raises:
        UniTalkerError: a file of the layout is missing or does not say what it must; the message names it.
    """

    def __init__(self, folder: Path, identities: tuple[str, ...] | None = None) -> None:
        self.folder = folder
        self.description = _describe(folder)
        listed = tuple(map(str, self._split("train").get("info", {}).get("id_list", ())))
        self.identities = identities or listed
        if len(self.identities) != len(listed):
            raise UniTalkerError(
                "data.identities",
                f"{folder}: {len(self.identities)} identity names for the {len(listed)} in train.json.",
            )
        self._listed = listed

    @cached_property
    def annotation(self) -> Annotation:
        """Annotation at the frame rate of training (60 and 100 fps are thinned out to 30 and 25)."""
        description, path = self.description, self.folder / "annotation.json"
        try:
            stored = float(description["fps"])
            kind = description["kind"]
            return Annotation(
                type_name=description["annot_type"],
                title=description.get("title", ""),
                kind=kind,
                dim=description["dim"],
                fps=stored / self._decimation(stored, path),
                unit=_UNITS[kind],
                scale=description.get("scale", 1.0),
                names=tuple(description.get("names", ())),
            )
        except KeyError as error:
            raise UniTalkerError("data.annotation", f"{path} lacks {error}.") from error
        except (ValidationError, TypeError, ValueError) as error:
            raise UniTalkerError("data.annotation", f"{path} does not describe an annotation: {error}") from error

    @cached_property
    def templates(self) -> dict[str, np.ndarray]:
        """(D,) float32 by identity, in the unit of the annotation."""
        path, dim = self.folder / "id_template.npy", self.annotation.dim
        rows = _read_array(path)
        if rows.size != dim * len(self.identities):
            raise UniTalkerError(
                "data.template",
                f"{path} has shape {rows.shape}; {len(self.identities)} identities of {dim} numbers were expected.",
            )
        rows = rows.reshape(len(self.identities), dim).astype(np.float32) * np.float32(self.annotation.scale)
        return dict(zip(self.identities, rows, strict=True))

    @property
    def neutral(self) -> dict[str, np.ndarray]:
        """Resting weights by identity from annotation.json; empty when there are none."""
        measured = self.description.get("neutral", {})
        names = dict(zip(self._listed, self.identities, strict=True))
        return {names[listed]: np.asarray(row, np.float32) for listed, row in measured.items() if listed in names}

    def has_split(self, split: Split) -> bool:
        """Whether the data set keeps clips apart for this purpose."""
        return (self.folder / f"{split}.json").is_file()

    def clip_names(self, split: Split) -> list[str]:
        """Names of the clips of a split, in the order of its file."""
        return [Path(entry.annot_path).stem for entry in self._entries(split)]

    def clips(self, split: Split) -> Iterator[Clip]:
        """Reads the clips of a split one after the other; those shorter than half a second are left out."""
        for entry in self._entries(split):
            clip = self._read(entry, split)
            if clip is not None:
                yield clip

    def _read(self, entry: _Entry, split: Split) -> Clip | None:
        motion_path, audio_path = self.folder / entry.annot_path, self.folder / entry.audio_path
        listing = self.folder / f"{split}.json"
        if not 0 <= entry.id < len(self.identities):
            raise UniTalkerError("data.identity", f"{listing}: {entry.annot_path} has identity {entry.id} of none.")
        identity = self.identities[entry.id]
        motion = self._motion(motion_path, entry, listing) - self.templates[identity]
        audio, fps = _read_samples(audio_path), self.annotation.fps
        seconds = min(len(audio) / SAMPLE_RATE, len(motion) / fps, LONGEST_CLIP)
        if seconds < SHORTEST_CLIP:
            return None
        return Clip(
            name=motion_path.stem,
            audio=audio[: round(seconds * SAMPLE_RATE)],
            motion=motion[: round(seconds * fps)],
            identity=identity,
            annotation=self.annotation,
        )

    def _motion(self, path: Path, entry: _Entry, listing: Path) -> np.ndarray:
        annotation = self.annotation
        if entry.annot_type != annotation.type_name:
            raise UniTalkerError(
                "data.type",
                f"{listing}: {entry.annot_path} is of type {entry.annot_type}, "
                f"but annotation.json describes {annotation.type_name}.",
            )
        motion = _read_array(path)
        if not len(motion) or motion[0].size != annotation.dim:
            raise UniTalkerError(
                "data.shape", f"{path} has shape {motion.shape}; {annotation.dim} numbers per frame were expected."
            )
        motion = motion.reshape(len(motion), -1)[:: self._decimation(entry.fps, listing)].astype(np.float32)
        if not np.isfinite(motion).all():
            raise UniTalkerError("data.not_finite", f"{path} contains NaN or infinite numbers.", "Repair or remove it.")
        return motion * np.float32(annotation.scale)

    @staticmethod
    def _decimation(fps: float, path: Path) -> int:
        if fps not in _DECIMATION:
            raise UniTalkerError(
                "data.fps", f"{path}: {fps:g} frames per second are not supported.", "Use 25, 30, 60 or 100."
            )
        return _DECIMATION[fps]

    def _split(self, split: Split) -> dict[str, Any]:
        return _read_json(self.folder / f"{split}.json")

    def _entries(self, split: Split) -> list[_Entry]:
        try:
            return [_Entry.model_validate(entry) for entry in self._split(split)["data"]]
        except (KeyError, ValidationError) as error:
            raise UniTalkerError("data.split", f"{self.folder / split}.json is not a list of clips: {error}") from error


def _describe(folder: Path) -> dict[str, Any]:
    """What annotation.json says; the folders of the release have none, and their annotation types are known."""
    path, listing = folder / "annotation.json", folder / "train.json"
    if path.exists() or not listing.exists():
        return _read_json(path)
    entries = _read_json(listing).get("data") or [{}]
    annotation = released_annotations().get(entries[0].get("annot_type", ""))
    if annotation is None:
        raise UniTalkerError(
            "data.not_found",
            f"{path} is missing, and the annotation type of {listing} is not one of the release.",
            f"Write it, or use one of {', '.join(released_annotations())}.",
        )
    return {
        "annot_type": annotation.type_name,
        "title": annotation.title,
        "fps": entries[0].get("fps", annotation.fps),
        "kind": annotation.kind,
        "dim": annotation.dim,
        "scale": annotation.scale,
        "names": annotation.names,
    }


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UniTalkerError(
            "data.not_found", f"{path} cannot be read: {error.strerror}.", "Is the data root right?"
        ) from error
    except ValueError as error:
        raise UniTalkerError("data.unreadable", f"{path} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise UniTalkerError("data.unreadable", f"{path} holds a {type(content).__name__}, expected an object.")
    return content


def _read_samples(path: Path) -> np.ndarray:
    """A sound file, or 16 kHz samples as ``.npy``, which are taken as they are."""
    return _read_array(path).astype(np.float32) if path.suffix == ".npy" else read_audio(path).samples


def _read_array(path: Path) -> np.ndarray:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except OSError as error:
        raise UniTalkerError("data.not_found", f"{path} cannot be read: {error}.") from error
    except (ValueError, EOFError) as error:
        raise UniTalkerError("data.unreadable", f"{path} is not a plain .npy array: {error}.") from error

"""Data sets in the layout of the UniTalker release.

A folder holds ``train.json``, ``val.json`` and ``test.json`` with paths relative to it, ``id_template.npy`` with one
row per identity, and beside them ``annotation.json``, which says what the numbers mean and which only the folders of
the release do without. Clips are read when asked for, and of their motion only what is trained on. A folder with
missing files is used as far as it goes; `OfficialDataSet.missing` names the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from training.datasets.clip import (
    DECIMATION,
    SHORTEST_CLIP,
    SPLITS,
    Clip,
    Split,
    check_finite,
    check_length,
    samples_in,
    trained_seconds,
)
from training.datasets.clip_frames import ClipFrames, FrameFile
from training.datasets.description import Description, describe
from training.datasets.files import open_array, open_frames, read_json, read_sound, samples_of_sound
from training.datasets.source import Recording, Source

LAYOUT = "official"
LIPS_FILE = "lip_idx.npy"
_COMPANIONS = (LIPS_FILE, "upper_face_idx.npy", "faces.npy", "pca.npz", "LICENSE", "LICENSE.md", "README.md")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    annot_path: str
    audio_path: str
    id: int
    annot_type: str
    fps: float


@dataclass(frozen=True)
class ClipReader:
    """A clip that is not read yet.

    Attributes:
        path: of its motion.
        identity: whose face it is.
        read: gives what is trained on; ``None`` for less than half a second.
    """

    path: Path
    identity: str
    read: Callable[[], Clip | None]


class OfficialDataSet:
    """One folder.

    Args:
        folder: of the data set.
        identities: names to use instead of those of the ``id_list``, in its order. The folders of the release are
            called ``D0/0`` to ``D7/10`` without it, as in a table imported from a released checkpoint.

    Raises:
        UniTalkerError: a file of the layout is missing or does not say what it must; the message names it.
    """

    def __init__(self, folder: Path, identities: tuple[str, ...] | None = None) -> None:
        self.folder = folder
        self._lists: dict[Split, dict[str, Any]] = {}
        self._described: Description = describe(folder)
        self._listed = self._id_list("train")
        self.identities = identities or self._described.released_identities(self._listed) or self._listed
        if len(self.identities) != len(self._listed):
            raise UniTalkerError(
                "data.identities",
                f"{folder}: {len(self.identities)} identity names for the {len(self._listed)} in train.json.",
            )

    @property
    def annotation(self) -> Annotation:
        """Annotation at the frame rate of training (60 and 100 fps are thinned out to 30 and 25)."""
        return self._described.annotation

    @property
    def stored_fps(self) -> float:
        """Frame rate of the files."""
        return self._described.stored_fps

    @property
    def duplication(self) -> int:
        """How often the paper uses each training clip per epoch: 10, 5 and 4 for D0, D1 and D2, else 1."""
        return self._described.duplication

    @cached_property
    def templates(self) -> dict[str, np.ndarray]:
        """(D,) float32 by identity, in the unit of the annotation."""
        path, dim = self.folder / "id_template.npy", self.annotation.dim
        rows = open_array(path)
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
        measured = self._described.content.get("neutral", {})
        names = dict(zip(self._listed, self.identities, strict=True))
        return {names[listed]: np.asarray(row, np.float32) for listed, row in measured.items() if listed in names}

    @property
    def missing(self) -> dict[Split, list[str]]:
        """Files that a split lists and that are not there, relative to the folder."""
        lists = {split: self._entries(split) for split in SPLITS if self.has_split(split)}
        return {
            split: sorted({name for entry in entries for name in self._absent(entry)})
            for split, entries in lists.items()
        }

    def has_split(self, split: Split) -> bool:
        """Whether the data set keeps clips apart for this purpose."""
        return (self.folder / f"{split}.json").is_file()

    def clip_names(self, split: Split) -> list[str]:
        """Names of the clips of a split whose files are there, in the order of its file."""
        return [Path(entry.annot_path).stem for entry in self._present(split)]

    def files(self, split: Split) -> list[Path]:
        """Files that a split is made from, as far as they are there: its list, templates, motions and sounds."""
        described = (self._list_file(split), self.folder / "annotation.json", self.folder / "id_template.npy")
        clips = [self.folder / name for entry in self._present(split) for name in (entry.annot_path, entry.audio_path)]
        return [*(path for path in described if path.is_file()), *clips]

    def sound_folders(self, split: Split) -> list[Path]:
        """Where the sounds of a split are, each folder once."""
        return list(dict.fromkeys((self.folder / entry.audio_path).parent.resolve() for entry in self._present(split)))

    def clips(self, split: Split, like_released_code: bool = False) -> Iterator[Clip]:
        """Reads the clips of a split one after the other; those shorter than half a second are left out.

        Args:
            split: which.
            like_released_code: sound and motion of very different length are cut to the shorter; otherwise more than
                half a second between them is an error.

        Raises:
            UniTalkerError: a clip is damaged or has no identity; the message names it.
        """
        for reader in self.readers(split, like_released_code):
            clip = reader.read()
            if clip is not None:
                yield clip

    def readers(self, split: Split, like_released_code: bool = False) -> list[ClipReader]:
        """The clips of a split, each read when asked for; arguments and errors as `clips`."""
        return [
            ClipReader(
                path=self.folder / entry.annot_path,
                identity=self._identity(entry, split),
                read=partial(self._trained, entry, split, like_released_code),
            )
            for entry in self._present(split)
        ]

    def frames(self, split: Split) -> ClipFrames:
        """All frames of a split that are trained on, as one array that is read as far as it is used."""
        files, fps = [], self.annotation.fps
        for entry in self._present(split):
            step = self._step(entry, split)
            stored = -(-len(self._frames(entry, split)) // step)
            seconds = trained_seconds(samples_of_sound(self.folder / entry.audio_path), stored, fps)
            if seconds >= SHORTEST_CLIP:
                path, template = self.folder / entry.annot_path, self.templates[self._identity(entry, split)]
                files.append(FrameFile(path, round(seconds * fps), step, self.annotation.scale, template))
        return ClipFrames(files, self.annotation.dim)

    def recordings(self, split: Split) -> list[Recording]:
        """The clips of a split as they are stored: uncut, and at their own frame rate."""
        return [
            Recording(
                Path(entry.annot_path).stem, self._identity(entry, split), partial(self._whole, entry, split), split
            )
            for entry in self._present(split)
        ]

    def _trained(self, entry: _Entry, split: Split, like_released_code: bool) -> Clip | None:
        identity, path, fps = self._identity(entry, split), self.folder / entry.annot_path, self.annotation.fps
        frames = self._frames(entry, split)[:: self._step(entry, split)]
        audio = read_sound(self.folder / entry.audio_path)
        if not like_released_code:
            check_length(len(audio), len(frames), fps, str(path))
        seconds = trained_seconds(len(audio), len(frames), fps)
        if seconds < SHORTEST_CLIP:
            return None
        motion = self._displacement(frames[: round(seconds * fps)], identity)
        check_finite(motion, fps, str(path))
        template = self.templates[identity] if self.annotation.kind == "flame" else None
        return Clip(path.stem, audio[: samples_in(seconds)], motion, identity, self.annotation, template=template)

    def _whole(self, entry: _Entry, split: Split) -> Clip:
        identity = self._identity(entry, split)
        return Clip(
            name=Path(entry.annot_path).stem,
            audio=read_sound(self.folder / entry.audio_path),
            motion=self._displacement(self._frames(entry, split), identity),
            identity=identity,
            annotation=self.annotation.model_copy(update={"fps": entry.fps}),
        )

    def _frames(self, entry: _Entry, split: Split) -> np.ndarray:
        annotation = self.annotation
        if entry.annot_type != annotation.type_name:
            raise UniTalkerError(
                "data.type",
                f"{self._list_file(split)}: {entry.annot_path} is of type {entry.annot_type}, "
                f"but annotation.json describes {annotation.type_name}.",
            )
        return open_frames(self.folder / entry.annot_path, annotation.dim)

    def _displacement(self, frames: np.ndarray, identity: str) -> np.ndarray:
        scaled = frames.astype(np.float32) * np.float32(self.annotation.scale)
        displacement: np.ndarray = scaled - self.templates[identity]
        return displacement

    def _step(self, entry: _Entry, split: Split) -> int:
        step = DECIMATION.get(entry.fps)
        if step is None or entry.fps / step != self.annotation.fps:
            raise UniTalkerError(
                "data.fps",
                f"{self._list_file(split)}: {entry.annot_path} has {entry.fps:g} frames per second, "
                f"which does not give the {self.annotation.fps:g} of annotation.json.",
                "Use 25, 30, 60 or 100; unitalker train data convert changes other rates.",
            )
        return step

    def _identity(self, entry: _Entry, split: Split) -> str:
        """Name of a clip's identity; each list counts its own ``id_list``."""
        listed, path = self._id_list(split), self._list_file(split)
        if not 0 <= entry.id < len(listed):
            raise UniTalkerError("data.identity", f"{path}: {entry.annot_path} has identity {entry.id} of none.")
        if listed[entry.id] not in self._listed:
            raise UniTalkerError(
                "data.identity",
                f"{path}: {entry.annot_path} is of {listed[entry.id]!r}, whom train.json does not list.",
                "Every list needs the identities of all lists.",
            )
        return self.identities[self._listed.index(listed[entry.id])]

    def _present(self, split: Split) -> list[_Entry]:
        return [entry for entry in self._entries(split) if not self._absent(entry)]

    def _absent(self, entry: _Entry) -> list[str]:
        return [name for name in (entry.annot_path, entry.audio_path) if not (self.folder / name).is_file()]

    def _list_file(self, split: Split) -> Path:
        return self.folder / f"{split}.json"

    def _id_list(self, split: Split) -> tuple[str, ...]:
        return tuple(map(str, self._split(split).get("info", {}).get("id_list", ())))

    def _split(self, split: Split) -> dict[str, Any]:
        if split not in self._lists:
            self._lists[split] = read_json(self._list_file(split))
        return self._lists[split]

    def _entries(self, split: Split) -> list[_Entry]:
        try:
            return [_Entry.model_validate(entry) for entry in self._split(split)["data"]]
        except (KeyError, ValidationError) as error:
            raise UniTalkerError("data.split", f"{self._list_file(split)} is not a list of clips: {error}") from error


def is_official(folder: Path) -> bool:
    """Whether the folder has the list of training clips."""
    return (folder / "train.json").is_file()


def open_official(folder: Path) -> Source:
    """A folder of the official layout as a source of whole recordings, with all its splits."""
    data = OfficialDataSet(folder)
    missing = [f"{split}.json: {name} is missing" for split, names in data.missing.items() for name in names]
    missing += [f"{split}.json is missing" for split in SPLITS if not data.has_split(split)]
    recordings = [one for split in SPLITS if data.has_split(split) for one in data.recordings(split)]
    lips = folder / LIPS_FILE
    return Source(
        folder=folder,
        layout=LAYOUT,
        annotation=data.annotation.model_copy(update={"fps": data.stored_fps}),
        recordings=tuple(recordings),
        templates=data.templates,
        problems=tuple(missing),
        lips=np.asarray(open_array(lips)) if lips.is_file() else None,
        neutral=data.neutral,
        companions=tuple(folder / name for name in _COMPANIONS if (folder / name).is_file()),
    )

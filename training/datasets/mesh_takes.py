"""What the raw vertex data sets have in common: meshes or arrays in folders, sounds beside them, a template each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from training.arrays import read_arrays
from training.datasets.clip import Clip, Split
from training.datasets.files import open_frames, read_sound
from training.datasets.meshes import read_frames, read_vertices
from training.datasets.source import Recording, Source

TEMPLATES_FILE = "templates.npz"
_TEMPLATE_FOLDERS = ("templates", "rigid_scans")
_TEMPLATE_SUFFIXES = (".ply", ".obj")
_SOUND_SUFFIXES = (".wav", ".flac")
_LAST_TRAINING, _LAST_VALIDATION = 32, 36


@dataclass(frozen=True)
class MeshTake:
    """Where the frames of a recording are.

    Attributes:
        identity: whose face.
        name: unique for the identity, e.g. ``sentence01``.
        frames: a ``.npy`` of all frames, or one mesh file per frame in order.
    """

    identity: str
    name: str
    frames: Path | tuple[Path, ...]

    @property
    def key(self) -> str:
        return f"{self.identity}_{self.name}"


@dataclass(frozen=True)
class MeshSet:
    """A raw folder as it was found.

    Attributes:
        folder: of the data set.
        layout: its name for people.
        annotation: its `fps` and `scale` are those of the files.
        takes: recordings.
        sounds: by `MeshTake.key`.
        templates: (D,) by identity, in the unit of the files.
        vertices: numbers of the vertices that are used; all if ``None``.
        split: of a take; ``None`` where the data set has none.
        notes: remarks for the user.
    """

    folder: Path
    layout: str
    annotation: Annotation
    takes: Sequence[MeshTake]
    sounds: Mapping[str, Path]
    templates: Mapping[str, np.ndarray]
    vertices: np.ndarray | None = None
    split: Callable[[MeshTake], Split | None] = lambda _take: None
    notes: tuple[str, ...] = ()

    def source(self) -> Source:
        """What has frames, sound and template; the rest becomes a problem.

        Raises:
            UniTalkerError: a template is of another topology.
        """
        scaled = {identity: self._scaled_template(identity) for identity in self.templates}
        problems, recordings = [], []
        for take in self.takes:
            if take.key not in self.sounds:
                problems.append(f"{take.key} has no sound")
            elif take.identity not in scaled:
                problems.append(f"{take.key} has no template of {take.identity}")
            else:
                read = partial(self._read, take, self.sounds[take.key], scaled[take.identity])
                recordings.append(Recording(take.key, take.identity, read, self.split(take)))
        unheard = sorted(set(self.sounds) - {take.key for take in self.takes})
        problems += [f"{key} has sound and no motion" for key in unheard]
        return Source(
            folder=self.folder,
            layout=self.layout,
            annotation=self.annotation,
            recordings=tuple(recordings),
            templates=scaled,
            problems=tuple(problems),
            notes=self.notes,
        )

    def _scaled_template(self, identity: str) -> np.ndarray:
        template = self._selected(self.templates[identity][None])[0]
        if template.size != self.annotation.dim:
            raise UniTalkerError(
                "data.shape",
                f"{self.folder}: the template of {identity} has {template.size // 3} vertices, "
                f"{self.layout} has {self.annotation.dim // 3}.",
            )
        scaled: np.ndarray = template.astype(np.float32) * np.float32(self.annotation.scale)
        return scaled

    def _selected(self, frames: np.ndarray) -> np.ndarray:
        """(T, D) with the vertices that are used."""
        if self.vertices is None:
            return frames
        selected: np.ndarray = frames.reshape(len(frames), -1, 3)[:, self.vertices].reshape(len(frames), -1)
        return selected

    def _read(self, take: MeshTake, sound: Path, template: np.ndarray) -> Clip:
        if isinstance(take.frames, Path):
            frames = np.asarray(open_frames(take.frames, self.annotation.dim), np.float32)
        else:
            frames = self._selected(read_frames(list(take.frames), take.key))
        if frames.shape[1] != self.annotation.dim:
            raise UniTalkerError(
                "data.shape",
                f"{take.key} has {frames.shape[1] // 3} vertices, {self.layout} has {self.annotation.dim // 3}.",
            )
        motion = frames * np.float32(self.annotation.scale) - template
        return Clip(take.key, read_sound(sound), motion, take.identity, self.annotation)


def split_by_sentence(take: MeshTake) -> Split | None:
    """Sentences 1 to 32 are for training, 33 to 36 to validate, 37 to 40 to test; ``None`` for a take of no number."""
    number = "".join(filter(str.isdigit, take.name))
    if not number:
        return None
    sentence = int(number)
    return "train" if sentence <= _LAST_TRAINING else "val" if sentence <= _LAST_VALIDATION else "test"


def takes_of_meshes(folder: Path, suffix: str) -> list[MeshTake]:
    """``folder/SUBJECT/NAME/*.suffix``, frames in the order of their names."""
    takes = []
    for subject in _folders(folder):
        for take in _folders(subject):
            frames = tuple(sorted(take.glob(f"*{suffix}")))
            if frames:
                takes.append(MeshTake(subject.name, take.name, frames))
    return takes


def takes_of_arrays(folder: Path) -> list[MeshTake]:
    """``folder/SUBJECT_NAME.npy``, the name being what follows the last underscore."""
    takes = []
    for path in sorted(folder.glob("*_*.npy")):
        identity, name = path.stem.rsplit("_", 1)
        takes.append(MeshTake(identity, name, path))
    return takes


def find_sounds(*folders: Path) -> dict[str, Path]:
    """``SUBJECT_NAME.wav`` or ``SUBJECT/NAME.wav`` in the folders that exist, by ``SUBJECT_NAME``."""
    sounds: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*")) + sorted(folder.glob("*/*")):
            if path.suffix.lower() in _SOUND_SUFFIXES:
                key = path.stem if path.parent == folder else f"{path.parent.name}_{path.stem}"
                sounds.setdefault(key, path)
    return sounds


def read_templates(folder: Path) -> dict[str, np.ndarray]:
    """Resting face of each subject, (D,), from ``templates/*.ply``, ``rigid_scans/*.obj`` or ``templates.npz``.

    Raises:
        UniTalkerError: there is none, or only a pickled file, which is not read.
    """
    files = [path for name in _TEMPLATE_FOLDERS for path in sorted((folder / name).glob("*"))]
    files = [path for path in files if path.suffix.lower() in _TEMPLATE_SUFFIXES]
    if files:
        return {path.stem: read_vertices(path).reshape(-1) for path in files}
    archive = folder / TEMPLATES_FILE
    if archive.is_file():
        with np.load(archive, allow_pickle=False) as content:
            names = tuple(content.files)
        return {name: array.reshape(-1) for name, array in read_arrays(archive, names, "templates").items()}
    pickled = folder / "templates.pkl"
    raise UniTalkerError(
        "data.template",
        f"{folder} has no templates: neither {' nor '.join(_TEMPLATE_FOLDERS)} nor {TEMPLATES_FILE}."
        + (f" {pickled.name} is not read, since a pickle can run any program." if pickled.exists() else ""),
        "Put the template meshes there; docs/train-your-own.md says how to turn a pickled file into templates.npz.",
    )


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []

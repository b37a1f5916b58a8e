"""Real takes of a data set in the official layout, ready to be measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.annotation import FaceMotion
from backend.errors import UniTalkerError
from backend.motion.rest import quiet_frames
from training.datasets.clip import Clip, Split
from training.datasets.files import open_array
from training.datasets.official import LIPS_FILE, OfficialDataSet, is_official
from training.motion_measures.lips import Lips, find_lips
from training.motion_measures.phones import phones_in
from training.motion_measures.recording import Recording, Voice, hear, mouth_of


@dataclass(frozen=True)
class Take:
    """A recording before it is looked at, so that its motion can be exchanged.

    Attributes:
        name: of the clip.
        identity: whose face it is.
        motion: relative to the resting face.
        voice: what is known of its sound.
        face: (V, 3), resting face of vertices.
        lips: of vertices.
    """

    name: str
    identity: str
    motion: FaceMotion
    voice: Voice
    face: np.ndarray | None = None
    lips: Lips | None = None

    @property
    def recording(self) -> Recording:
        """What the measures look at."""
        return Recording(self.name, mouth_of(self.motion, self.face, self.lips), self.motion.fps, self.voice)


def read_takes(folder: Path, splits: Iterable[Split], lip_vertices: np.ndarray | None = None) -> list[Take]:
    """Takes of some splits, speaker by speaker, each relative to the speaker's resting face.

    Args:
        folder: of the data set; phone times are those of ``phones.json`` beside its sounds.
        splits: which.
        lip_vertices: of a data set of vertices.
    """
    data, by_person = OfficialDataSet(folder), defaultdict(list)
    phones = {
        name: found
        for split in splits
        for place in data.sound_folders(split)
        for name, found in phones_in(place).items()
    }
    for split in splits:
        for clip in data.clips(split):
            by_person[clip.identity].append((clip, hear(clip.audio, phones.get(clip.name, ()))))
    takes: list[Take] = []
    for identity, heard in by_person.items():
        if data.annotation.kind == "vertices":
            takes += _of_vertices(heard, data.templates[identity], lip_vertices)
        else:
            rest = data.neutral.get(identity)
            takes += _of_weights(heard, _resting(heard) if rest is None else rest)
    return takes


def read_root(root: Path) -> dict[str, list[Take]]:
    """Takes of the validation and test clips of every data set in a folder, by the name of its folder.

    Vertices of which nobody says what is lips, in ``lip_idx.npy`` there or in another set of the kind, are left out.

    Raises:
        UniTalkerError: there is no data set in the official layout.
    """
    folders = [folder for folder in sorted(root.iterdir()) if is_official(folder)] if root.is_dir() else []
    if not folders:
        raise UniTalkerError(
            "data.none", f"There is no data set in the official layout in {root}.", "Each has a folder with train.json."
        )
    types = {folder: OfficialDataSet(folder).annotation.type_name for folder in folders}
    lips = {
        types[folder]: np.asarray(open_array(folder / LIPS_FILE))
        for folder in folders
        if (folder / LIPS_FILE).is_file()
    }
    found = {folder.name: read_takes(folder, ("val", "test"), lips.get(types[folder])) for folder in folders}
    return {name: takes for name, takes in found.items() if takes}


def _of_weights(heard: list[tuple[Clip, Voice]], rest: np.ndarray) -> Iterator[Take]:
    for clip, voice in heard:
        yield Take(clip.name, clip.identity, FaceMotion(clip.motion - rest, clip.fps, clip.annotation), voice)


def _of_vertices(heard: list[tuple[Clip, Voice]], template: np.ndarray, vertices: np.ndarray | None) -> Iterator[Take]:
    if vertices is None:
        return
    face = template.reshape(-1, 3)
    lips = find_lips(np.concatenate([clip.motion for clip, _ in heard]).reshape(-1, *face.shape), face, vertices)
    for clip, voice in heard:
        motion = FaceMotion(clip.motion, clip.fps, clip.annotation)
        yield Take(clip.name, clip.identity, motion, voice, face, lips)


def _resting(heard: list[tuple[Clip, Voice]]) -> np.ndarray:
    """Median face in silence."""
    quiet = [clip.motion[quiet_frames(len(clip.motion), clip.fps, voice.pauses)] for clip, voice in heard]
    resting: np.ndarray = np.median(np.concatenate(quiet), axis=0)
    return resting

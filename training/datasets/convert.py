"""Any source of recordings → a folder in the official layout, ready for training."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from backend.annotation import FaceMotion
from backend.errors import UniTalkerError
from backend.motion.resample import resample
from training.datasets.clip import DECIMATION, Clip, Split, check_finite, check_length
from training.datasets.cutting import cut
from training.datasets.source import Recording, Source
from training.datasets.writer import OfficialWriter

Progress = Callable[[int, int, str], None]
"""Called with recordings done, all, and the name of the last."""

_JOURNAL = "conversion.jsonl"
_OTHER_FPS = 30.0
"""What frame rates that are not trained on are changed to."""
_DEAL: tuple[Split, ...] = ("train", "train", "train", "val", "train", "train", "train", "test", "train", "train")
"""What a person's clips are for, over and over; four clips are enough for a validation."""


@dataclass
class Conversion:
    """What became of a source.

    Attributes:
        fps: of the written clips.
        clips: written, by split.
        seconds: of them all.
        left_out: recordings that cannot be used, each with its reason.
    """

    fps: float
    clips: Counter[Split] = field(default_factory=Counter)
    seconds: float = 0.0
    left_out: list[str] = field(default_factory=list)


def convert(source: Source, out: Path, progress: Progress, fps: float | None = None) -> Conversion:
    """Writes every recording that can be used, in clips of at most 20 s.

    The folder appears when it is complete. Until then the work is in ``OUT.part``, and the same call goes on there.
    Recordings whose source has no splits are dealt out 8 : 1 : 1 in their order, for each person by themselves.

    Args:
        source: what to convert.
        out: new folder.
        progress: told after each recording.
        fps: of the clips; the source's own if it is trained on, else 30, when left out.

    Raises:
        UniTalkerError: `fps` is not trained on, ``out`` exists, ``OUT.part`` is of something else, the disk is full,
            or nothing can be used.
    """
    if out.exists():
        raise UniTalkerError("data.output", f"{out} exists already.", "Name a new folder for the data set.")
    if fps is None:
        fps = source.annotation.fps if source.annotation.fps in DECIMATION else _OTHER_FPS
    elif fps not in DECIMATION:
        rates = ", ".join(f"{rate:g}" for rate in DECIMATION)
        raise UniTalkerError("data.fps", f"{fps:g} frames per second are not trained on.", f"Choose one of {rates}.")
    partial = out.with_name(f"{out.name}.part")
    work = _Work(source, partial, out.name, fps)
    for number, recording in enumerate(source.recordings, start=1):
        work.take(recording)
        progress(number, len(source.recordings), recording.name)
    result = work.finish()
    partial.replace(out)
    return result


class _Work:
    """A conversion under way, with a journal of what has been done."""

    def __init__(self, source: Source, folder: Path, name: str, fps: float) -> None:
        self._source, self._folder = source, folder
        self._annotation = source.annotation.model_copy(update={"fps": fps})
        self._done = self._open_journal()
        self._writer = OfficialWriter(folder, self._annotation, source.templates, name, resumed=True)
        self._count: Counter[str] = Counter()
        self._result = Conversion(fps)

    def take(self, recording: Recording) -> None:
        """Converts a recording, or lists what an earlier attempt made of it."""
        entry = self._done.get(recording.name)
        if entry is None:
            entry = self._convert(recording)
            self._note(entry)
        else:
            for name, split in entry["clips"]:
                self._writer.list_clip(name, recording.identity, split)
        self._count[recording.identity] += len(entry["clips"])
        self._result.clips.update(split for _, split in entry["clips"])
        self._result.seconds += entry["seconds"]
        if entry["problem"]:
            self._result.left_out.append(entry["problem"])

    def finish(self) -> Conversion:
        """Writes the lists.

        Raises:
            UniTalkerError: there is no clip to train on.
        """
        if not self._result.clips["train"]:
            reason = f" The first: {self._result.left_out[0]}" if self._result.left_out else ""
            raise UniTalkerError("data.empty", f"{self._source.folder}: no recording can be used.{reason}")
        self._writer.finish(neutral=self._source.neutral, note=f"converted from {self._source.layout}")
        for path in self._source.companions:
            shutil.copyfile(path, self._folder / path.name)
        (self._folder / _JOURNAL).unlink()
        return self._result

    def _convert(self, recording: Recording) -> dict[str, Any]:
        entry: dict[str, Any] = {"recording": recording.name, "clips": [], "seconds": 0.0, "problem": ""}
        try:
            clip = self._checked(recording)
        except UniTalkerError as error:
            return entry | {"problem": f"{recording.name}: {error}"}
        for part in cut(_at_rate(clip, self._annotation.fps)):
            split = recording.split or _dealt(self._count[recording.identity] + len(entry["clips"]))
            self._writer.add(part, split)
            entry["clips"].append((part.name, split))
            entry["seconds"] += len(part.motion) / part.fps
        if not entry["clips"]:
            entry["problem"] = f"{recording.name}: no half second of it can be used"
        return entry

    def _checked(self, recording: Recording) -> Clip:
        clip = recording.read()
        if not self._source.has_gaps:
            check_finite(clip.motion, clip.fps, recording.name)
        check_length(len(clip.audio), len(clip.motion), clip.fps, recording.name)
        return clip

    def _open_journal(self) -> dict[str, dict[str, Any]]:
        """What an earlier attempt has done, by recording; begins a journal where there is none.

        Raises:
            UniTalkerError: the folder is of another conversion.
        """
        heading = {
            "source": str(self._source.folder.resolve()),
            "layout": self._source.layout,
            "annotation": self._annotation.model_dump(mode="json"),
        }
        path = self._folder / _JOURNAL
        if not self._folder.exists():
            self._folder.mkdir(parents=True)
            self._note(heading)
            return {}
        first, *rest = path.read_text(encoding="utf-8").splitlines() if path.is_file() else [""]
        if first != json.dumps(heading):
            raise UniTalkerError(
                "data.output",
                f"{self._folder} holds something else than the beginning of this conversion.",
                "Delete it, or name another folder.",
            )
        entries = [json.loads(line) for line in rest if line.endswith("}")]
        # What failed is tried again: a package may have been installed since, or a file repaired.
        return {entry["recording"]: entry for entry in entries if not entry["problem"]}

    def _note(self, entry: dict[str, Any]) -> None:
        path = self._folder / _JOURNAL
        try:
            with path.open("a", encoding="utf-8") as journal:
                journal.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise UniTalkerError(
                "output.unwritable", f"Cannot write {path}: {error.strerror}.", "Free some space and start again."
            ) from error


def _at_rate(clip: Clip, fps: float) -> Clip:
    if clip.fps == fps:
        return clip
    motion = resample(FaceMotion(clip.motion, clip.fps, clip.annotation), fps).values
    annotation = clip.annotation.model_copy(update={"fps": fps})
    return replace(clip, motion=motion, annotation=annotation, head=_resampled_head(clip.head, len(motion)))


def _resampled_head(head: np.ndarray | None, frames: int) -> np.ndarray | None:
    if head is None:
        return None
    positions = np.linspace(0, len(head) - 1, frames)
    return np.column_stack([np.interp(positions, np.arange(len(head)), axis) for axis in head.T]).astype(np.float32)


def _dealt(number: int) -> Split:
    """What the clip of a person with this number is for."""
    return _DEAL[number % len(_DEAL)]

"""Real takes with phone times: what the teacher learns from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.errors import UniTalkerError
from training.datasets.clip import Split
from training.datasets.official import OfficialDataSet
from training.synthesis.phones import SILENCE, from_label
from training.synthesis.timeline import Phone, Timeline

_AFTER_LAST_WORD = 0.2


@dataclass(frozen=True)
class Take:
    """A recorded clip: `motion` float32 (T, channels) relative to the resting face, and its phones."""

    name: str
    phones: Timeline
    motion: np.ndarray


@dataclass(frozen=True)
class Takes:
    """Takes of one data set with the names and frame rate of their channels."""

    train: tuple[Take, ...]
    val: tuple[Take, ...]
    names: tuple[str, ...]
    fps: float


def read_takes(folder: Path, phones: Path) -> Takes:
    """Takes of an official data set of one speaker whose phone times are known.

    Args:
        folder: of the data set; blendshape weights.
        phones: JSON of clip name → list of (start, end, ARPAbet, word).

    Raises:
        UniTalkerError: a file is missing or wrong, or no clip of a split has phones.
    """
    data, timelines = OfficialDataSet(folder), read_phones(phones)
    if data.annotation.kind != "blendshapes":
        raise UniTalkerError("synthesis.takes", f"{folder} holds {data.annotation.kind}; the teacher needs weights.")
    splits = {split: _split(data, split, timelines) for split in ("train", "val")}
    rest = resting_weights(splits["train"], data.annotation.fps)
    train, val = (
        tuple(Take(t.name, t.phones, symmetric(t.motion - rest, data.annotation.names)) for t in splits[split])
        for split in ("train", "val")
    )
    return Takes(train, val, data.annotation.names, data.annotation.fps)


def read_phones(path: Path) -> dict[str, Timeline]:
    """Timelines by clip name from a ``phones.json``.

    Raises:
        UniTalkerError: the file is missing or has another form.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        return {
            name: tuple(Phone(float(row[0]), float(row[1]), from_label(row[2])) for row in rows)
            for name, rows in content.items()
        }
    except OSError as error:
        raise UniTalkerError("synthesis.phones", f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
        raise UniTalkerError(
            "synthesis.phones",
            f"{path} is not a list of phones: {error}.",
            "Each clip has rows of start, end, ARPAbet symbol and word.",
        ) from error


def resting_weights(takes: Sequence[Take], fps: float) -> np.ndarray:
    """The resting face: median over the frames later than 0.2 s after the last word.

    Returns:
        float32 (channels,).

    Raises:
        UniTalkerError: no take ends in silence.
    """
    resting = []
    for take in takes:
        if take.phones and take.phones[-1].symbol == SILENCE:
            resting.append(take.motion[int(np.ceil((take.phones[-1].start + _AFTER_LAST_WORD) * fps)) :])
    frames = np.concatenate(resting) if resting else np.zeros((0, 1))
    if not len(frames):
        raise UniTalkerError("synthesis.rest", "No take ends in silence, so the resting face is unknown.")
    return np.median(frames, axis=0).astype(np.float32)


def symmetric(motion: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The motion with left and right weights replaced by their mean; sideways jaw and mouth become 0."""
    index = {name: i for i, name in enumerate(names)}
    result = motion.copy()
    for name, left in index.items():
        right = index.get(name.removesuffix("Left") + "Right") if name.endswith("Left") else None
        if right is None:
            continue
        mean = (motion[:, left] + motion[:, right]) / 2
        result[:, left] = result[:, right] = 0 if name in ("jawLeft", "mouthLeft") else mean
    return result


def _split(data: OfficialDataSet, split: Split, timelines: dict[str, Timeline]) -> list[Take]:
    takes = [Take(c.name, timelines[c.name], c.motion) for c in data.clips(split) if c.name in timelines]
    if not takes:
        raise UniTalkerError("synthesis.takes", f"No clip of {data.folder / split}.json has phone times.")
    return takes

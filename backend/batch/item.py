"""What a batch consists of, and what becomes of each part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from backend.errors import UniTalkerError
from backend.inference import AnimateOptions

Status = Literal["done", "skipped", "failed", "pending"]
"""`skipped` was done by an earlier run; `pending` was not reached, because the run was interrupted."""


@dataclass(frozen=True)
class Item:
    """One motion file to be made of one sound.

    Attributes:
        row: line of the manifest, or place in the folder, from 1; for messages.
        audio: sound file.
        output: motion file; its suffix is the format.
        options: head and identity are always named, so that the model's default may change without confusion.
        key: hash of all that the output depends on (`backend.batch.record`); empty until it is known.
    """

    row: int
    audio: Path
    output: Path
    options: AnimateOptions
    key: str = ""


@dataclass(frozen=True)
class Failure:
    """Why an item has no output; the three fields of a `UniTalkerError`."""

    code: str
    message: str
    hint: str = ""

    @classmethod
    def of(cls, error: UniTalkerError) -> Failure:
        return cls(error.code, error.message, error.hint)


@dataclass(frozen=True)
class ItemResult:
    """What became of an item.

    Attributes:
        row, audio, output: as of the item; `output` is None when a broken row names none.
        status: how it ended.
        frames: of the motion; 0 when there is none.
        seconds: length of the motion; 0 when there is none.
        notes: remarks for the user, e.g. that the sound is cut short.
        quality: read-out of the motion, see `backend.motion.quality`.
        failure: the reason when it failed.
    """

    row: int
    audio: Path | None
    output: Path | None
    status: Status
    frames: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    quality: Mapping[str, float] = field(default_factory=dict)
    failure: Failure | None = None

    @classmethod
    def failed(cls, item: Item, failure: Failure) -> ItemResult:
        return cls(item.row, item.audio, item.output, "failed", failure=failure)

    @classmethod
    def of(cls, item: Item, status: Status) -> ItemResult:
        return cls(item.row, item.audio, item.output, status)

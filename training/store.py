"""Encoder features and targets of all sequences on disk: with a frozen encoder they are computed once.

Every sequence is a few ``.npy`` files that are memory-mapped, so that training reads only what it crops. A store is
found again by a fingerprint of what went into it; changing a loss or a learning rate does not compute it anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from backend.audio import SAMPLE_RATE
from backend.errors import UniTalkerError
from backend.model.encoder import FEATURE_RATE
from backend.model.unitalker import UniTalker
from training.sequences import Sequence

_INT16 = 32767

Progress = Callable[[int, str], None]


@dataclass(frozen=True)
class Entry:
    """One sequence.

    Attributes:
        file: beginning of its file names.
        name: data set and clips, for messages.
        data_set: the recipe's name of it.
        head: annotation type.
        identity: name.
        fps: of the target.
        frames: of the target.
        feature_rate: of the features, Hz: 50, or `fps` when the frequency adaptor sits before the encoder's
            transformer (position 0).
        has_template: whether there is a template to which the target is added.
    """

    file: str
    name: str
    data_set: str
    head: str
    identity: str
    fps: float
    frames: int
    feature_rate: float = FEATURE_RATE
    has_template: bool = False


class Store:
    """A finished store.

    Args:
        folder: that `build_store` wrote.
        entries: those of its index if left out.
    """

    def __init__(self, folder: Path, entries: list[Entry] | None = None) -> None:
        self.folder = folder
        self.entries = _read_index(folder) if entries is None else entries
        self._compared: dict[str, str] = {}

    @classmethod
    def joined(cls, folder: Path, stores: Iterable[Store]) -> Store:
        """Several stores, all directly in `folder`, as one."""
        entries = [
            replace(entry, file=f"{store.folder.name}/{entry.file}") for store in stores for entry in store.entries
        ]
        return cls(folder, entries)

    def features(self, entry: Entry) -> np.ndarray:
        """float16 (F, C) at the entry's feature rate, memory-mapped."""
        return self._load(entry, "features")

    def target(self, entry: Entry) -> np.ndarray:
        """float16 (T, D), memory-mapped."""
        return self._load(entry, "target")

    def compared(self, entry: Entry) -> np.ndarray:
        """(T, …) what the loss of the entry's head compares with: the target, or what `compare` named; mapped."""
        return self._load(entry, self._compared.get(entry.head, "target"))

    def compare(self, head: str, what: str) -> None:
        """From now on `compared` gives for a head what is stored beside its targets under the name `what`."""
        self._compared[head] = what

    def audio(self, entry: Entry) -> np.ndarray:
        """float32 (samples,), 16 kHz."""
        waveform: np.ndarray = self._load(entry, "audio").astype(np.float32) / _INT16
        return waveform

    def template(self, entry: Entry) -> np.ndarray:
        """float32 (D,)."""
        return self._load(entry, "template")

    def of_head(self, head: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.head == head]

    def path(self, entry: Entry, what: str) -> Path:
        """The file of one of an entry's arrays."""
        return self.folder / f"{entry.file}.{what}.npy"

    def _load(self, entry: Entry, what: str) -> np.ndarray:
        return np.asanyarray(np.load(self.path(entry, what), mmap_mode="r", allow_pickle=False))


def _read_index(folder: Path) -> list[Entry]:
    content = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    return [Entry(**entry) for entry in content]


def fingerprint(*parts: str) -> str:
    """A name for a store made from `parts`."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def is_store(folder: Path) -> bool:
    """Whether a store is there, which it is only when it is complete."""
    return (folder / "index.json").is_file()


def build_store(
    folder: Path, sequences: Iterable[Sequence], model: UniTalker, device: torch.device, progress: Progress
) -> Store:
    """Encodes all sequences, or opens the store if `folder` is one.

    Args:
        folder: appears when complete; an interrupted build starts again.
        sequences: what to encode.
        model: only its encoder is used; moved to `device` where that is needed.
        device: where to compute.
        progress: called with the number of sequences done and the name of the last.

    Raises:
        UniTalkerError: features or targets that are not finite; names the clips.
    """
    if is_store(folder):
        return Store(folder)
    model.to(device)
    partial = folder.with_name(f"{folder.name}.part{os.getpid()}")
    partial.mkdir(parents=True, exist_ok=True)
    try:
        entries = []
        model.eval()
        for number, sequence in enumerate(sequences):
            entries += [_write(partial, f"{number:05d}", sequence, model, device)] * sequence.repeats
            progress(number + 1, sequence.name)
        (partial / "index.json").write_text(json.dumps([asdict(entry) for entry in entries]), encoding="utf-8")
        _put_in_place(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Store(folder)


def _put_in_place(finished: Path, folder: Path) -> None:
    try:
        finished.replace(folder)
    except OSError:
        # Another process had the same to encode and was faster.
        if not (folder / "index.json").is_file():
            raise


@torch.inference_mode()
def _write(folder: Path, file: str, sequence: Sequence, model: UniTalker, device: torch.device) -> Entry:
    waveform = torch.from_numpy(sequence.audio)[None].to(device)
    at_motion_rate = model.spec.decoder.interpolate_position == 0
    features = model.encode(waveform, frame_count=len(sequence.target))[0].cpu().numpy()
    if not (np.isfinite(features).all() and np.isfinite(sequence.target).all()):
        raise UniTalkerError(
            "training.not_finite", f"Encoding gave numbers that are not finite in {sequence.name}.", "Check its sound."
        )
    np.save(folder / f"{file}.features.npy", features.astype(np.float16))
    np.save(folder / f"{file}.target.npy", sequence.target.astype(np.float16))
    np.save(folder / f"{file}.audio.npy", np.round(np.clip(sequence.audio, -1, 1) * _INT16).astype(np.int16))
    if sequence.template is not None:
        np.save(folder / f"{file}.template.npy", sequence.template)
    return Entry(
        file=file,
        name=sequence.name,
        data_set=sequence.data_set,
        head=sequence.annotation.type_name,
        identity=sequence.identity,
        fps=sequence.annotation.fps,
        frames=len(sequence.target),
        feature_rate=sequence.annotation.fps if at_motion_rate else FEATURE_RATE,
        has_template=sequence.template is not None,
    )


def samples_of(frames: int, fps: float) -> int:
    """16 kHz samples under so many frames."""
    return round(frames / fps * SAMPLE_RATE)

"""Batches: sequences of one annotation type, cropped to equal length where the cut falls on both frame grids."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from training.store import FEATURE_RATE, Entry, Store, samples_of


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Attributes:
        head: annotation type of all of it.
        names: of the sequences, for messages.
        speech: (B, F, C) features at 50 Hz, or (B, samples) waveforms when the encoder is trained too.
        samples: (B,) valid samples of each waveform; ``None`` with features.
        target: (B, T, D).
        mask: bool (B, T), false in the padding.
        identity: (B,) rows of the identity table.
    """

    head: str
    names: tuple[str, ...]
    speech: Tensor
    samples: Tensor | None
    target: Tensor
    mask: Tensor
    identity: Tensor

    def to(self, device: torch.device) -> Batch:
        return Batch(
            self.head,
            self.names,
            self.speech.to(device),
            None if self.samples is None else self.samples.to(device),
            self.target.to(device),
            self.mask.to(device),
            self.identity.to(device),
        )


def epoch_order(entries: list[Entry], size: int, rng: np.random.Generator) -> list[list[Entry]]:
    """Every sequence once, in batches of one annotation type, all in random order."""
    by_head: dict[str, list[Entry]] = {}
    for entry in entries:
        by_head.setdefault(entry.head, []).append(entry)
    batches = []
    for own in by_head.values():
        shuffled = [own[number] for number in rng.permutation(len(own))]
        batches += [shuffled[start : start + size] for start in range(0, len(shuffled), size)]
    return [batches[number] for number in rng.permutation(len(batches))]


class Loader:
    """Reads batches from a store.

    Args:
        store: of the training sequences.
        identities: rows of the identity table in order.
        pivot_probability: how often a sequence goes under the last row.
        crop_seconds: longest stretch.
        from_audio: give waveforms instead of features.
    """

    def __init__(
        self, store: Store, identities: tuple[str, ...], pivot_probability: float, crop_seconds: float, from_audio: bool
    ) -> None:
        self._store = store
        self._rows = {name: row for row, name in enumerate(identities)}
        self._pivot = len(identities) - 1
        self._pivot_probability = pivot_probability
        self._crop_seconds = crop_seconds
        self._from_audio = from_audio

    def load(self, entries: list[Entry], rng: np.random.Generator) -> Batch:
        """Crops and pads to the longest; `rng` decides on cuts and pivots."""
        fps = entries[0].fps
        grid = common_grid(fps)
        longest = max(int(self._crop_seconds * fps) // grid * grid, grid)
        count = min(longest, max(entry.frames for entry in entries))
        cuts = [self._cut(entry, count, grid, rng) for entry in entries]
        rows = [
            self._pivot if rng.random() < self._pivot_probability else self._rows[entry.identity] for entry in entries
        ]
        target, mask = _padded([self._store.target(entry)[cut] for entry, cut in zip(entries, cuts, strict=True)], count)
        speech, samples = self._speech(entries, cuts, count)
        return Batch(
            head=entries[0].head,
            names=tuple(entry.name for entry in entries),
            speech=speech,
            samples=samples,
            target=target,
            mask=mask,
            identity=torch.tensor(rows),
        )

    @staticmethod
    def _cut(entry: Entry, count: int, grid: int, rng: np.random.Generator) -> slice:
        places = max(entry.frames - count, 0) // grid
        start = int(rng.integers(places + 1)) * grid
        return slice(start, min(start + count, entry.frames))

    def _speech(self, entries: list[Entry], cuts: list[slice], count: int) -> tuple[Tensor, Tensor | None]:
        fps = entries[0].fps
        if not self._from_audio:
            parts = [
                self._store.features(entry)[round(cut.start * FEATURE_RATE / fps) : round(cut.stop * FEATURE_RATE / fps)]
                for entry, cut in zip(entries, cuts, strict=True)
            ]
            return _padded(parts, round(count * FEATURE_RATE / fps))[0], None
        sounds = [
            self._store.audio(entry)[samples_of(cut.start, fps) : samples_of(cut.stop, fps), None]
            for entry, cut in zip(entries, cuts, strict=True)
        ]
        waveforms, _ = _padded(sounds, samples_of(count, fps))
        return waveforms[..., 0], torch.tensor([len(sound) for sound in sounds])


def common_grid(fps: float) -> int:
    """Frames between two moments that are on the frame grid and on that of the features: 1 at 25 fps, 3 at 30."""
    return Fraction(fps / FEATURE_RATE).limit_denominator(1000).numerator


def _padded(parts: list[np.ndarray], length: int) -> tuple[Tensor, Tensor]:
    """(B, length, C) float32 with zeros behind each part, and the bool mask (B, length) of what is real."""
    joined = torch.zeros(len(parts), length, parts[0].shape[1])
    mask = torch.zeros(len(parts), length, dtype=torch.bool)
    for row, part in enumerate(parts):
        part = part[:length]
        joined[row, : len(part)] = torch.from_numpy(np.asarray(part, np.float32))
        mask[row, : len(part)] = True
    return joined, mask

"""Batches: sequences of one annotation type, cropped where the cut falls on both frame grids, padded to the longest.

What an optimiser's step sees may be spread over processes, and on each over several parts; every part knows its share
of the step's valid frames, so that the mean over all of them does not depend on how they were spread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from training.store import Entry, Store, samples_of


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Attributes:
        head: annotation type of all of it.
        names: of the sequences, for messages.
        speech: (B, F, C) features, or (B, samples) waveforms when the encoder is trained too.
        is_audio: which of the two.
        lengths: valid features or samples of each sequence.
        frames: valid frames of each.
        target: (B, T, D), or (B, T, K + 1) where the loss compares in the head's subspace.
        mask: bool (B, T), false in the padding.
        identity: (B,) rows of the identity table.
        template: (B, D), what values and target are added to; ``None`` where the loss does not depend on it.
        share: its valid frames in those of the whole step, 0 to 1.
    """

    head: str
    names: tuple[str, ...]
    speech: Tensor
    is_audio: bool
    lengths: tuple[int, ...]
    frames: tuple[int, ...]
    target: Tensor
    mask: Tensor
    identity: Tensor
    template: Tensor | None = None
    share: float = 1.0

    def to(self, device: torch.device) -> Batch:
        """The same on `device`, in single precision: what is stored in half precision is half as much to move."""
        return replace(
            self,
            speech=self.speech.to(device).float(),
            target=self.target.to(device).float(),
            mask=self.mask.to(device),
            identity=self.identity.to(device),
            template=None if self.template is None else self.template.to(device),
        )


@dataclass(frozen=True)
class Spread:
    """How the sequences of a step are spread.

    Attributes:
        process: which one this is, from 0.
        processes: how many there are.
        accumulate: parts that a process computes one after the other.
    """

    process: int = 0
    processes: int = 1
    accumulate: int = 1

    def parts(self, count: int) -> list[list[int]]:
        """Which of `count` sequences each part of this process has; none of the parts is empty."""
        own = np.arange(count)[self.process :: self.processes]
        return [part.tolist() for part in np.array_split(own, self.accumulate) if len(part)]


class Loader:
    """Reads batches from a store.

    Args:
        store: of the training sequences.
        identities: rows of the identity table in order.
        pivot_probability: how often a sequence goes under the last row.
        crop_seconds: longest stretch; ``None`` for whole sequences.
        from_audio: give waveforms instead of features.
    """

    def __init__(
        self,
        store: Store,
        identities: tuple[str, ...],
        pivot_probability: float,
        crop_seconds: float | None,
        from_audio: bool,
    ) -> None:
        self._store = store
        self._rows = {name: row for row, name in enumerate(identities)}
        self._pivot = len(identities) - 1
        self._pivot_probability = pivot_probability
        self._crop_seconds = crop_seconds
        self._from_audio = from_audio

    def load(self, entries: list[Entry], rng: np.random.Generator) -> Batch:
        """Crops what is too long and pads to the longest; `rng` decides on cuts and pivots."""
        return self.load_parts(entries, rng, Spread())[0]

    def load_parts(self, entries: list[Entry], rng: np.random.Generator, spread: Spread) -> list[Batch]:
        """What this process computes of a step.

        Every process draws the cuts and pivots of all sequences, so that they do not depend on the number of
        processes. One for which no sequence is left gets the first with a share of 0.
        """
        drawn = self._draw(entries, rng)
        frames = [cut.stop - cut.start for cut, _ in drawn]
        parts = spread.parts(len(entries))
        if not parts:
            return [self._batch(entries[:1], drawn[:1], share=0.0)]
        return [
            self._batch(
                [entries[number] for number in part],
                [drawn[number] for number in part],
                share=sum(frames[number] for number in part) / sum(frames),
            )
            for part in parts
        ]

    def _draw(self, entries: list[Entry], rng: np.random.Generator) -> list[tuple[slice, int]]:
        """Frames and row of the identity table of each sequence."""
        cuts = [self._cut(entry, rng) for entry in entries]
        rows = [
            self._pivot if rng.random() < self._pivot_probability else self._rows[entry.identity] for entry in entries
        ]
        return list(zip(cuts, rows, strict=True))

    def _batch(self, entries: list[Entry], drawn: list[tuple[slice, int]], share: float) -> Batch:
        cuts = [cut for cut, _ in drawn]
        target = _padded([self._store.compared(entry)[cut] for entry, cut in zip(entries, cuts, strict=True)])
        frames = tuple(cut.stop - cut.start for cut in cuts)
        read = self._sound if self._from_audio else self._features
        parts = [read(entry, cut) for entry, cut in zip(entries, cuts, strict=True)]
        speech = _padded(parts)
        return Batch(
            head=entries[0].head,
            names=tuple(entry.name for entry in entries),
            speech=speech[..., 0] if self._from_audio else speech,
            is_audio=self._from_audio,
            lengths=tuple(len(part) for part in parts),
            frames=frames,
            target=target,
            mask=torch.arange(target.shape[1])[None] < torch.tensor(frames)[:, None],
            identity=torch.tensor([row for _, row in drawn]),
            template=self._templates(entries),
            share=share,
        )

    def _templates(self, entries: list[Entry]) -> Tensor | None:
        if not entries[0].has_template:
            return None
        return torch.from_numpy(np.stack([self._store.template(entry) for entry in entries]))

    def _cut(self, entry: Entry, rng: np.random.Generator) -> slice:
        if self._crop_seconds is None:
            return slice(0, entry.frames)
        grid = common_grid(entry.fps, entry.feature_rate)
        count = max(int(self._crop_seconds * entry.fps) // grid * grid, grid)
        places = max(entry.frames - count, 0) // grid
        start = int(rng.integers(places + 1)) * grid
        return slice(start, min(start + count, entry.frames))

    def _features(self, entry: Entry, cut: slice) -> np.ndarray:
        features = self._store.features(entry)
        rate = entry.feature_rate / entry.fps
        # The last features of a sound belong to its last frame, also where they are one more or less than its share.
        end = len(features) if cut.stop == entry.frames else round(cut.stop * rate)
        return features[round(cut.start * rate) : end]

    def _sound(self, entry: Entry, cut: slice) -> np.ndarray:
        sound = self._store.audio(entry)
        end = len(sound) if cut.stop == entry.frames else samples_of(cut.stop, entry.fps)
        return sound[samples_of(cut.start, entry.fps) : end, None]


def common_grid(fps: float, feature_rate: float) -> int:
    """Frames between two moments on both the grid of frames and that of features: at 50 Hz 1 for 25 fps, 3 for 30."""
    return Fraction(fps / feature_rate).limit_denominator(1000).numerator


def _padded(parts: list[np.ndarray]) -> Tensor:
    """(B, longest, C) with zeros behind each part, in the precision of the parts."""
    return pad_sequence([torch.from_numpy(np.array(part)) for part in parts], batch_first=True)

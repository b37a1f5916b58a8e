"""Which sequences an epoch sees, and in which batches: a function of the seed and the epoch alone."""

from __future__ import annotations

import numpy as np

from training.store import Entry

_BATCHES_SORTED_TOGETHER = 16
"""Sequences for so many batches are drawn at random and dealt out by length: little padding, yet no fixed company."""


def epoch_order(
    entries: list[Entry], size: int, crop_seconds: float | None, balance: float, rng: np.random.Generator
) -> list[list[Entry]]:
    """Batches of one annotation type and of similar lengths, in random order.

    Args:
        entries: sequences of the training.
        size: sequences per batch; the last batch of a type may have fewer.
        crop_seconds: longer sequences count as this long; ``None`` for whole sequences.
        balance: 0 uses every sequence once, 1 every annotation type equally often, see `balanced_counts`.
        rng: of the epoch.
    """
    by_head: dict[str, list[Entry]] = {}
    for entry in entries:
        by_head.setdefault(entry.head, []).append(entry)
    counts = balanced_counts({head: len(own) for head, own in by_head.items()}, balance)
    batches = []
    for head, own in by_head.items():
        batches += _length_buckets(_draw(own, counts[head], rng), size, crop_seconds)
    return [batches[number] for number in rng.permutation(len(batches))]


def balanced_counts(sizes: dict[str, int], balance: float) -> dict[str, int]:
    """How many sequences of each annotation type an epoch uses, about as many as there are in all.

    In proportion to ``size ** (1 - balance)``. With sizes 900 and 100, balance 0 gives 900 and 100, 0.5 gives 750 and
    250, 1 gives 500 and 500.
    """
    if balance == 0:
        return dict(sizes)
    weights = {name: size ** (1 - balance) for name, size in sizes.items()}
    factor = sum(sizes.values()) / sum(weights.values())
    return {name: max(round(factor * weight), 1) for name, weight in weights.items()}


def _draw(entries: list[Entry], count: int, rng: np.random.Generator) -> list[Entry]:
    """So many sequences in random order, each as often as any other or once more."""
    numbers: list[int] = []
    while len(numbers) < count:
        numbers += rng.permutation(len(entries)).tolist()
    return [entries[number] for number in numbers[:count]]


def _length_buckets(entries: list[Entry], size: int, crop_seconds: float | None) -> list[list[Entry]]:
    """Batches of `size` from sequences in random order; those drawn together are dealt out by length."""
    if size == 1:
        return [[entry] for entry in entries]
    batches = []
    span = size * _BATCHES_SORTED_TOGETHER
    for start in range(0, len(entries), span):
        drawn = sorted(entries[start : start + span], key=lambda entry: _seconds(entry, crop_seconds))
        batches += [drawn[first : first + size] for first in range(0, len(drawn), size)]
    return batches


def _seconds(entry: Entry, crop_seconds: float | None) -> float:
    seconds = entry.frames / entry.fps
    return seconds if crop_seconds is None else min(seconds, crop_seconds)

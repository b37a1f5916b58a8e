"""Which sequences a step sees, in what company, and how they are spread."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.batches import Spread
from training.sampling import balanced_counts, epoch_order
from training.store import Entry


def entries(head: str, frames: list[int]) -> list[Entry]:
    return [Entry(f"{head}{n}", f"{head}: {n}", "set", head, "ann", 25.0, count) for n, count in enumerate(frames)]


def order(sequences: list[Entry], size: int, balance: float = 0.0, seed: int = 0) -> list[list[Entry]]:
    return epoch_order(sequences, size, None, balance, np.random.default_rng(seed))


LENGTHS = np.random.default_rng(1).integers(50, 700, 300).tolist()


def test_every_sequence_is_used_once_and_no_batch_mixes_types() -> None:
    sequences = entries("weights", LENGTHS) + entries("mesh", LENGTHS[:37])
    batches = order(sequences, 4)
    assert Counter(entry.name for batch in batches for entry in batch) == Counter(entry.name for entry in sequences)
    assert all(len({entry.head for entry in batch}) == 1 for batch in batches)


def test_batches_hold_sequences_of_similar_length() -> None:
    def padding(batches: list[list[Entry]]) -> float:
        computed = sum(len(batch) * max(entry.frames for entry in batch) for batch in batches)
        return computed / sum(LENGTHS) - 1

    sequences = entries("weights", LENGTHS)
    shuffled = [sequences[start : start + 4] for start in range(0, len(sequences), 4)]
    assert padding(order(sequences, 4)) < 0.25 * padding(shuffled)


def test_an_epoch_is_the_same_again_and_the_next_one_is_not() -> None:
    sequences = entries("weights", LENGTHS)
    assert order(sequences, 4, seed=5) == order(sequences, 4, seed=5)
    first, second = order(sequences, 4, seed=5), order(sequences, 4, seed=6)
    together = {frozenset(entry.name for entry in batch) for batch in first}
    assert len(together & {frozenset(entry.name for entry in batch) for batch in second}) < len(first) / 10


@pytest.mark.parametrize(("balance", "expected"), [(0, (900, 100)), (0.5, (750, 250)), (1, (500, 500))])
def test_balance_brings_small_types_up(balance: float, expected: tuple[int, int]) -> None:
    sequences = entries("large", [100] * 900) + entries("small", [100] * 100)
    used = Counter(entry.head for batch in order(sequences, 4, balance) for entry in batch)
    assert (used["large"], used["small"]) == expected
    times = Counter(entry.name for batch in order(sequences, 4, balance) for entry in batch if entry.head == "small")
    assert len(times) == 100
    assert max(times.values()) - min(times.values()) <= 1


@given(st.dictionaries(st.text(min_size=1), st.integers(1, 10_000), min_size=1, max_size=6), st.floats(0, 1))
def test_a_balanced_epoch_is_about_as_long_and_leaves_no_type_out(sizes: dict[str, int], balance: float) -> None:
    counts = balanced_counts(sizes, balance)
    assert min(counts.values()) >= 1
    assert abs(sum(counts.values()) - sum(sizes.values())) <= 2 * len(sizes)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 9))
def test_processes_and_parts_share_a_batch_out(count: int, processes: int, accumulate: int) -> None:
    spreads = [Spread(process, processes, accumulate).parts(count) for process in range(processes)]
    assert sorted(number for parts in spreads for part in parts for number in part) == list(range(count))
    assert all(part for parts in spreads for part in parts)
    assert all(len(parts) <= accumulate for parts in spreads)

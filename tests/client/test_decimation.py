"""Fewer keys: never farther from the curve than was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from unitalker_blender.scene.blending import edge_weights
from unitalker_blender.scene.decimation import every_nth, within_error


def speech_like(frames: int, seed: int) -> np.ndarray:
    """A curve that rests, moves and jumps, as a jaw does."""
    generator = np.random.default_rng(seed)
    moving = np.convolve(generator.normal(size=frames + 8), np.hanning(9), "valid")[:frames]
    return np.clip(moving * (np.sin(np.arange(frames) / 40) > 0), 0.0, 1.0).astype(np.float32)


@pytest.mark.parametrize("error", [0.0005, 0.005, 0.05])
@pytest.mark.parametrize("seed", range(5))
def test_lines_between_the_keys_stay_within_the_error(error, seed) -> None:
    values = speech_like(1000, seed)
    keys = within_error(values, error)
    line = np.interp(np.arange(1000), keys, values[keys])
    assert np.abs(line - values).max() <= error
    assert (keys[0], keys[-1]) == (0, 999)
    assert len(keys) < 1000


def test_larger_error_needs_fewer_keys() -> None:
    values = speech_like(2000, 7)
    counts = [len(within_error(values, error)) for error in (0.001, 0.01, 0.1)]
    assert counts[0] > counts[1] > counts[2]


def test_straight_line_needs_its_ends_only() -> None:
    assert within_error(np.linspace(0, 1, 500, dtype=np.float32), 1e-4).tolist() == [0, 499]
    assert within_error(np.zeros(3, np.float32), 1e-4).tolist() == [0, 2]


@pytest.mark.parametrize("frames", [1, 2])
def test_shortest_curves_keep_every_frame(frames) -> None:
    assert within_error(np.arange(frames, dtype=np.float32), 0.1).tolist() == list(range(frames))


@pytest.mark.parametrize(
    ("count", "step", "expected"),
    [(7, 3, [0, 3, 6]), (8, 3, [0, 3, 6, 7]), (1, 5, [0]), (5, 100, [0, 4]), (3, 1, [0, 1, 2])],
)
def test_every_nth_has_the_first_and_the_last(count, step, expected) -> None:
    assert every_nth(count, step).tolist() == expected


def test_blend_is_symmetrical_and_reaches_the_new_motion() -> None:
    weights = edge_weights(11, 3)
    np.testing.assert_allclose(weights[:4], [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_array_equal(weights, weights[::-1])
    assert edge_weights(5, 0).tolist() == [1.0] * 5
    assert edge_weights(0, 3).tolist() == []

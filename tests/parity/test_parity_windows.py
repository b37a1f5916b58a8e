"""Windows and cross-fade against what the official code gives."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.audio import SAMPLE_RATE
from backend.windows import cross_fade, frame_count, split_windows

from .golden import arrays, framing, golden_names


@pytest.mark.parametrize(
    ("samples", "ranges"),
    [
        pytest.param(int(samples), ranges, id=f"framing_cases.json/split_long_audio_ranges/{samples}")
        for samples, ranges in dict(framing("split_long_audio_ranges")).items()
    ]
    or [pytest.param(0, [], marks=pytest.mark.skip("needs ../shared"))],
)
def test_window_ranges(samples: int, ranges: list[list[int]]) -> None:
    assert [[window.start, window.stop] for window in split_windows(samples, 25.0)] == ranges


def merge_cases() -> list[tuple[str, str]]:
    return [(file, name) for file, name in golden_names("merge_cases*.npz") if name.endswith("/out")]


@pytest.mark.parametrize(
    ("file", "name"),
    [pytest.param(*case, id="/".join(case)) for case in merge_cases()]
    or [pytest.param("", "", marks=pytest.mark.skip("needs ../shared"))],
)
def test_merged_windows(file: str, name: str) -> None:
    golden, case = arrays(file), name.removesuffix("/out")
    fps, samples, expected = float(golden[f"{case}/fps"]), int(golden[f"{case}/n_samples"]), golden[name]
    windows = split_windows(samples, fps)
    parts = [golden[f"{case}/in/{index}"] for index in range(len(windows))]
    assert [window.frames for window in windows] == [len(part) for part in parts]
    merged = np.full((windows[-1].end_frame, 1), np.nan, np.float32)
    for index, window in enumerate(windows):
        cross_fade(merged, parts[index], window.first_frame, windows[index - 1].end_frame if index else 0)
    assert merged.shape == expected.shape
    assert np.abs(merged - expected).max() <= 1e-6


@given(samples=st.integers(1600, 3 * 3600 * SAMPLE_RATE), fps=st.sampled_from([12.5, 24.0, 25.0, 29.97, 30.0, 60.0]))
def test_windows_cover_every_frame_of_the_sound(samples: int, fps: float) -> None:
    windows = split_windows(samples, fps)
    assert windows[0].start == windows[0].first_frame == 0
    assert windows[-1].stop == samples
    # Rounding per window may differ by one frame from rounding the whole, as in the official code.
    assert abs(windows[-1].end_frame - frame_count(samples, fps)) <= 1
    for before, window in pairwise(windows):
        assert before.first_frame < window.first_frame <= before.end_frame <= window.end_frame
        assert abs(window.first_frame / fps - window.start / SAMPLE_RATE) <= 0.5 / fps


@settings(max_examples=30)
@given(seconds=st.floats(0.2, 200), fps=st.sampled_from([12.5, 25.0, 29.97, 30.0]))
def test_windows_that_agree_are_joined_without_a_trace(seconds: float, fps: float) -> None:
    windows = split_windows(round(seconds * SAMPLE_RATE), fps)
    whole = np.sin(np.arange(windows[-1].end_frame) / 7)[:, None].astype(np.float32)
    merged = np.full_like(whole, np.nan)
    filled = 0
    for window in windows:
        cross_fade(merged, whole[window.first_frame : window.end_frame], window.first_frame, filled)
        filled = window.end_frame
    assert np.allclose(merged, whole, atol=1e-6)


def test_the_fade_runs_from_all_old_to_all_new() -> None:
    merged = np.zeros((20, 1), np.float32)
    cross_fade(merged, np.ones((12, 1), np.float32), first=8, filled=13)
    assert merged[:8].max() == 0
    assert np.allclose(merged[8:13, 0], [0, 0.25, 0.5, 0.75, 1])
    assert merged[13:].min() == 1

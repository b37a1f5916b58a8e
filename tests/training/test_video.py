"""A video of a face as training data."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import UniTalkerError
from training.datasets.convert import convert
from training.datasets.layouts import Opening, open_source
from training.datasets.official import OfficialDataSet
from training.datasets.source import Source
from training.datasets.time_stamps import LONGEST_FILLED_GAP, on_even_grid


@pytest.fixture(scope="module")
def filmed(shared: Path) -> Source:
    """Four clips of a man who speaks for three seconds."""
    for package in ("mediapipe", "av"):
        pytest.importorskip(package, reason="needs the extra video")
    return open_source(shared / "video", opening=Opening("s1", shared / "models/face_landmarker.task"))


@pytest.mark.slow
def test_weights_are_those_that_others_measured(filmed: Source, shared: Path) -> None:
    """The same clip was labelled for the bench with MediaPipe, from the same frames."""
    clip = filmed.recordings[0].read()
    known = np.load(shared / "bench/G1_grid_arkit/clips" / f"{clip.name.removeprefix('s1_')}.npy")
    sound, rate = soundfile.read(shared / "bench/audio_grid_s1" / f"{clip.name.removeprefix('s1_')}.flac")
    assert (clip.fps, clip.identity, rate) == (25, "s1", 16000)
    assert abs(len(clip.motion) - len(known)) <= 1 and abs(len(clip.audio) - len(sound)) < 16
    frames, samples = min(len(clip.motion), len(known)), min(len(clip.audio), len(sound))
    np.testing.assert_allclose(clip.motion[:frames], known[:frames], atol=0.02)
    assert np.corrcoef(clip.audio[:samples], sound[:samples])[0, 1] > 0.99


@pytest.mark.slow
def test_the_head_is_followed_in_radians(filmed: Source) -> None:
    """He looks almost into the camera and keeps still."""
    head = filmed.recordings[1].read().head
    assert head is not None and np.isfinite(head).all()
    assert np.abs(head.mean(axis=0)).max() < 0.3 and head.std(axis=0).max() < 0.1


@pytest.mark.slow
def test_a_film_becomes_a_data_set(filmed: Source, tmp_path: Path) -> None:
    convert(filmed, tmp_path / "me", lambda done, total, name: None)
    data = OfficialDataSet(tmp_path / "me")
    assert data.annotation.type_name == "mediapipe_blendshape_weight" and data.identities == ("s1",)
    assert len(data.clip_names("train") + data.clip_names("val")) == 4
    jaw = data.annotation.names.index("jawOpen")
    assert all(np.ptp(clip.motion[:, jaw]) > 0.1 for clip in data.clips("train"))


def test_without_the_packages_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "me.mp4").write_bytes(b"")
    (tmp_path / "face.task").write_bytes(b"")
    with pytest.raises(UniTalkerError, match=r"needs the package av.*pip install mediapipe av"):
        open_source(tmp_path, opening=Opening(face_task=tmp_path / "face.task"))


def test_without_a_face_model_it_is_said_where_one_comes_from(tmp_path: Path) -> None:
    (tmp_path / "me.mp4").write_bytes(b"")
    with pytest.raises(UniTalkerError, match=r"No face model was given.*face_landmarker\.task.*--face-task"):
        open_source(tmp_path)


@pytest.mark.parametrize("fps", [25.0, 30.0])
def test_dropped_and_late_frames_are_put_in_their_place(fps: float) -> None:
    """A webcam that drops every fifth frame and is up to 10 ms late."""
    rng = np.random.default_rng(0)
    times = np.delete(np.arange(120) / fps, np.arange(4, 120, 5)) + rng.uniform(0, 0.01, 96)
    times[0] = 0
    grid = on_even_grid(times, np.sin(2 * times)[:, None], fps)
    np.testing.assert_allclose(grid[:, 0], np.sin(2 * np.arange(len(grid)) / fps), atol=5e-3)


@given(gap=st.floats(0.05, 1.0), fps=st.sampled_from([25.0, 30.0]))
def test_only_short_gaps_are_filled(gap: float, fps: float) -> None:
    times = np.arange(90) / 30
    values = np.sin(times)[:, None].astype(np.float32)
    values[(times > 1) & (times < 1 + gap)] = np.nan
    seen = times[np.isfinite(values[:, 0])]
    longest = float(np.diff(seen).max())
    grid = on_even_grid(times, values, fps)
    missing = np.isnan(grid[:, 0])
    if longest <= LONGEST_FILLED_GAP:
        assert not missing.any()
    else:
        inside = np.flatnonzero(missing) / fps
        assert len(inside) and inside.min() > 0.9 and inside.max() < 1.1 + gap
    assert np.isfinite(grid[~missing]).all()


def test_a_film_without_a_face_gives_no_motion() -> None:
    assert np.isnan(on_even_grid(np.arange(5) / 25, np.full((5, 2), np.nan), 25)).all()

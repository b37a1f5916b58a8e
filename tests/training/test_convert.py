"""`data convert`: what is written, what is left out, and that nothing is lost or half-written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.annotation import Annotation
from backend.errors import UniTalkerError
from training.config import DataSet, Head, Recipe
from training.datasets.clip import Clip
from training.datasets.convert import convert
from training.datasets.cutting import cut
from training.datasets.layouts import open_source
from training.datasets.official import OfficialDataSet
from training.datasets.source import Recording, Source
from training.places import Places
from training.runs import begin

from .recordings import RATE, syllables, voice
from .test_own_takes import export, phone_take

JAW = Annotation(type_name="t", kind="blendshapes", dim=1, fps=30, unit="weight", names=("jawOpen",))


def unheard(_done: int, _total: int, _name: str) -> None:
    """Progress that nobody looks at."""


def take(name: str, seconds: float, fps: float = 30, audio_seconds: float | None = None) -> Clip:
    motion = syllables(seconds, fps).astype(np.float32)[:, None]
    audio = voice(seconds if audio_seconds is None else audio_seconds)
    head = np.linspace(0, 1, len(motion), dtype=np.float32)[:, None].repeat(3, axis=1)
    return Clip(name, audio, motion, "me", JAW.model_copy(update={"fps": fps}), head)


def source_of(*clips: Clip, **settings: object) -> Source:
    recordings = tuple(Recording(clip.name, clip.identity, lambda clip=clip: clip) for clip in clips)  # type: ignore[misc]
    return replace(Source(Path("takes"), "test", clips[0].annotation, recordings), **settings)  # type: ignore[arg-type]


def all_clips(folder: Path) -> dict[str, Clip]:
    data = OfficialDataSet(folder)
    return {clip.name: clip for split in ("train", "val", "test") for clip in data.clips(split)}  # type: ignore[arg-type]


def test_a_recorded_set_is_the_same_after_conversion(shared: Path, tmp_path: Path) -> None:
    """Real speech of nine people: motion to float precision, sound to the bit, splits and neutrals kept."""
    source = open_source(shared / "bench/G3_grid_speakers")
    result = convert(source, tmp_path / "G3", unheard)
    assert dict(result.clips) == {"train": 104, "val": 13, "test": 13} and not result.left_out
    before, after = all_clips(shared / "bench/G3_grid_speakers"), all_clips(tmp_path / "G3")
    assert set(before) == set(after)
    for name, clip in before.items():
        assert after[name].identity == clip.identity
        np.testing.assert_allclose(after[name].motion, clip.motion, atol=1e-6)
        np.testing.assert_array_equal(after[name].audio, clip.audio)
    neutral = OfficialDataSet(tmp_path / "G3").neutral
    np.testing.assert_array_equal(neutral["s30"], OfficialDataSet(shared / "bench/G3_grid_speakers").neutral["s30"])


def test_takes_of_a_phone_become_clips_to_train_on(tmp_path: Path) -> None:
    weights = phone_take(tmp_path / "me/20260101_MySlate_1", seconds=30)
    convert(open_source(tmp_path / "me"), tmp_path / "D", unheard)
    data = OfficialDataSet(tmp_path / "D")
    clips = list(data.clips("train"))
    assert len(clips) == 2 and {clip.identity for clip in clips} == {"me"}
    assert [clip.fps for clip in clips] == [30, 30]
    np.testing.assert_allclose(np.concatenate([clip.motion for clip in clips])[:100], weights[::2][:100], atol=1e-6)
    head = np.load(tmp_path / "D/head/MySlate_1_iPhone_000.npy")
    np.testing.assert_allclose(head[:, 1], 0.1, atol=1e-6)
    assert json.loads((tmp_path / "D/annotation.json").read_text())["head"]["names"][1] == "headYaw"


def test_what_is_converted_is_what_training_takes(tiny_recipe: Recipe, tmp_path: Path) -> None:
    for number in range(5):
        phone_take(tmp_path / f"me/{number}", f"S_{number}_iPhone", seconds=3)
    convert(open_source(tmp_path / "me"), tmp_path / "data/D", unheard)
    settings = DataSet(name="mine", folder="D", neutral="quiet")
    heads = {"arkit_blendshape_weight": Head(title="Mine")}
    recipe = tiny_recipe.model_copy(update={"data": (settings,), "heads": heads})
    places = Places(tmp_path / "data", tmp_path / "cache")
    material = begin(recipe, tmp_path / "run", places, torch.device("cpu"), lambda _name: lambda _done, _what: None)
    assert material.spec.identities == ("me", "pivot")
    assert material.training.entries and material.validation.entries


def test_a_frame_rate_that_is_not_trained_on_is_changed(tmp_path: Path) -> None:
    export(tmp_path / "rex", "shot", {"jawOpen": 1}, fps=24)
    result = convert(open_source(tmp_path / "rex"), tmp_path / "D", unheard)
    assert result.fps == 30
    (clip,) = OfficialDataSet(tmp_path / "D").clips("train")
    expected = np.interp(np.arange(60) / 30, np.arange(48) / 24, syllables(2, 24))
    np.testing.assert_allclose(clip.motion[:, 0], expected, atol=1e-5)


def test_everyones_clips_are_dealt_out(tmp_path: Path) -> None:
    clips = [replace(take(f"{who}{n}", 1), identity=who) for who in ("ann", "ben") for n in range(10)]
    convert(source_of(*clips), tmp_path / "D", unheard)
    data = OfficialDataSet(tmp_path / "D")
    for split, count in (("train", 8), ("val", 1), ("test", 1)):
        people = [clip.identity for clip in data.clips(split)]  # type: ignore[arg-type]
        assert people.count("ann") == people.count("ben") == count


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (take("bad", 2, audio_seconds=1), "1.00 s of sound and 2.00 s of motion"),
        (replace(take("bad", 2), motion=np.full((60, 1), np.nan, np.float32)), "NaN"),
        (take("bad", 0.3), "no half second"),
    ],
    ids=["length", "NaN", "short"],
)
def test_what_cannot_be_used_is_left_out_and_named(spoilt: Clip, reason: str, tmp_path: Path) -> None:
    result = convert(source_of(take("good", 2), spoilt), tmp_path / "D", unheard)
    assert list(all_clips(tmp_path / "D")) == ["good"]
    (told,) = result.left_out
    assert told.startswith("bad") and reason in told


def test_nothing_usable_is_an_error_and_leaves_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(UniTalkerError, match=r"no recording can be used.*half second"):
        convert(source_of(take("bad", 0.3)), tmp_path / "D", unheard)
    assert not (tmp_path / "D").exists()


def test_an_interrupted_conversion_goes_on(tmp_path: Path) -> None:
    reads: list[str] = []

    def counted(clip: Clip) -> Clip:
        reads.append(clip.name)
        return clip

    clips = [take(f"t{n}", 1) for n in range(6)]
    recordings = tuple(Recording(c.name, c.identity, lambda c=c: counted(c)) for c in clips)  # type: ignore[misc]
    source = replace(source_of(*clips), recordings=recordings)

    def stop(done: int, _total: int, _name: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(source, tmp_path / "D", stop)
    assert not (tmp_path / "D").exists()
    result = convert(source, tmp_path / "D", unheard)
    assert reads == [f"t{n}" for n in range(6)]
    assert sum(result.clips.values()) == 6 and result.seconds == pytest.approx(6)
    convert(source, tmp_path / "whole", unheard)
    for name in ("train.json", "val.json", "test.json"):
        assert (tmp_path / "D" / name).read_text() == (tmp_path / "whole" / name).read_text().replace("whole", "D")
    assert {path.name for path in tmp_path.iterdir()} == {"D", "whole"}


def test_the_beginning_of_another_conversion_is_not_mixed_in(tmp_path: Path) -> None:
    (tmp_path / "D.part").mkdir()
    (tmp_path / "D.part/precious.txt").write_text("x")
    with pytest.raises(UniTalkerError, match=r"D\.part holds something else"):
        convert(source_of(take("a", 1)), tmp_path / "D", unheard)
    shutil.rmtree(tmp_path / "D.part")
    (tmp_path / "D").mkdir()
    with pytest.raises(UniTalkerError, match="exists already"):
        convert(source_of(take("a", 1)), tmp_path / "D", unheard)


def test_a_full_disk_is_said_once_and_the_work_goes_on_later(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk."""
    resource = pytest.importorskip("resource", reason="needs POSIX")
    source = source_of(take("small", 1), take("large", 10))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(UniTalkerError, match=r"Cannot write .*large\.flac: File too large"):
            convert(source, tmp_path / "D", unheard)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "D").exists() and not list(tmp_path.rglob("*.partial"))
    assert sum(convert(source, tmp_path / "D", unheard).clips.values()) == 2


@settings(max_examples=12, deadline=None)
@given(seconds=st.floats(0.6, 60), fps=st.sampled_from([25.0, 30.0, 60.0]))
def test_a_long_take_is_cut_without_losing_or_doubling_a_frame(seconds: float, fps: float) -> None:
    clip = take("t", seconds, fps)
    parts = list(cut(clip))
    assert all(0.5 <= len(part.motion) / fps <= 20 for part in parts)
    np.testing.assert_array_equal(np.concatenate([part.motion for part in parts]), clip.motion)
    for part in parts:
        assert abs(len(part.audio) / RATE - len(part.motion) / fps) <= 0.5 / fps + 1e-3


def test_a_take_is_cut_in_a_pause() -> None:
    """Speech with a pause from 12 to 13 s: the cut is in it."""
    motion = np.concatenate([syllables(12, 30), np.zeros(30), syllables(12, 30)]).astype(np.float32)[:, None]
    audio = np.concatenate([voice(12)[: 12 * RATE], np.zeros(RATE, np.float32), voice(12)])
    first, second = cut(Clip("t", audio, motion, "me", JAW))
    assert 11.9 <= len(first.motion) / 30 <= 13.1
    assert (first.name, second.name) == ("t_000", "t_001")


def test_frames_without_a_face_are_cut_out(tmp_path: Path) -> None:
    clip = take("t", 6)
    clip.motion[60:90] = np.nan
    convert(source_of(clip, has_gaps=True), tmp_path / "D", unheard)
    clips = all_clips(tmp_path / "D")
    assert [len(clips[name].motion) for name in ("t_000", "t_001")] == [60, 90]
    np.testing.assert_allclose(clips["t_001"].audio, clip.audio[3 * RATE :], atol=1 / 32768)

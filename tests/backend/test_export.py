"""The files that other programs read."""

from __future__ import annotations

import csv
import json
import struct
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.annotation import Annotation, FaceMotion
from backend.errors import UniTalkerError
from backend.export import check_output, write_motion
from backend.export.live_link_face import ARKIT_COLUMNS, VALUE_COLUMNS, timecode

ARKIT_51 = tuple(name[0].lower() + name[1:] for name in sorted(ARKIT_COLUMNS) if name != "TongueOut")
ARKIT = Annotation(type_name="arkit", kind="blendshapes", dim=51, fps=25, unit="weight", names=ARKIT_51)
MESH = Annotation(type_name="mesh", kind="vertices", dim=6, fps=30, unit="m")
FACE = Annotation(type_name="face", kind="vertices", dim=1404, fps=25, unit="m")


@pytest.fixture
def take() -> FaceMotion:
    values = np.random.default_rng(0).uniform(0, 1, (61, 51)).astype(np.float32)
    return FaceMotion(values, 60.0, ARKIT)


@pytest.fixture
def mesh_motion() -> FaceMotion:
    return FaceMotion(np.random.default_rng(0).normal(0, 0.1, (7, 6)).astype(np.float32), 30.0, MESH)


def test_npz_gives_back_exactly_what_went_in(tmp_path: Path, take: FaceMotion, mesh_motion: FaceMotion) -> None:
    for motion in (take, mesh_motion):
        write_motion(motion, tmp_path / "out.npz")
        with np.load(tmp_path / "out.npz", allow_pickle=False) as data:
            assert sorted(data) == ["annotation", "fps", "names", "unit", "values"]
            assert np.array_equal(data["values"], motion.values)
            assert data["values"].dtype == np.float32
            assert tuple(data["names"].tolist()) == motion.annotation.channel_names
            assert float(data["fps"]) == motion.fps
            assert data["fps"].dtype == np.float64
            assert str(data["unit"]) == motion.annotation.unit
            assert str(data["annotation"]) == motion.annotation.type_name


def test_csv_is_a_live_link_face_take(tmp_path: Path, take: FaceMotion, shared: Path) -> None:
    recorded = json.loads((shared / "rigs/arkit52.json").read_text())["live_link_face_csv"]
    write_motion(take, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == recorded["columns"]
    assert len(rows) == len(take.values)
    assert {row[1] for row in rows} == {str(recorded["blendshape_count_value"])}


def test_csv_columns_are_matched_by_name_and_missing_ones_are_zero(tmp_path: Path, take: FaceMotion) -> None:
    write_motion(take, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["Timecode"], rows[60]["Timecode"]) == ("00:00:00:00.000", "00:00:01:00.000")
    for column in VALUE_COLUMNS:
        written = np.array([float(row[column]) for row in rows], np.float32)
        name = column[0].lower() + column[1:]
        expected = take.values[:, ARKIT_51.index(name)] if name in ARKIT_51 else np.zeros(61, np.float32)
        assert np.array_equal(written, expected), column


@given(index=st.integers(0, 2_000_000), fps=st.sampled_from([12.5, 23.976, 24.0, 25.0, 29.97, 30.0, 60.0, 120.0]))
def test_a_timecode_says_the_frames_time_to_a_thousandth_of_a_frame(index: int, fps: float) -> None:
    hours, minutes, seconds, frames = timecode(index, fps).split(":")
    whole = 3600 * int(hours) + 60 * int(minutes) + int(seconds)
    # The last field is in frames; a reader divides it by the rate.
    time = whole + Fraction(frames) / Fraction(fps).limit_denominator(1001)
    assert abs(float(time) - index / fps) <= 0.0011 / fps + index * 1e-9
    assert int(seconds) < 60
    assert float(frames) < fps


def test_json_for_the_web(tmp_path: Path, take: FaceMotion, mesh_motion: FaceMotion) -> None:
    for motion in (take, mesh_motion):
        write_motion(motion, tmp_path / "out.json")
        data = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
        assert data["fps"] == motion.fps
        assert tuple(data["names"]) == motion.annotation.channel_names
        assert (data["annotation"], data["unit"]) == (motion.annotation.type_name, motion.annotation.unit)
        assert np.allclose(data["frames"], motion.values, atol=1e-6)


def test_a_mesh_is_no_live_link_face_take(tmp_path: Path, mesh_motion: FaceMotion) -> None:
    with pytest.raises(UniTalkerError, match=r"no ARKit channels.*\.npz") as caught:
        write_motion(mesh_motion, tmp_path / "out.csv")
    assert caught.value.code == "output.unwritable"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["out.fbx", "out"])
def test_an_unknown_format_names_the_known_ones(tmp_path: Path, take: FaceMotion, name: str) -> None:
    with pytest.raises(UniTalkerError, match=r"\.npz.*\.csv.*\.json"):
        write_motion(take, tmp_path / name)


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".json"])
def test_what_cannot_be_written_is_said_before_the_work_and_at_it(
    tmp_path: Path, take: FaceMotion, suffix: str
) -> None:
    (tmp_path / f"folder{suffix}").mkdir()
    (tmp_path / "file").touch()
    for name in (f"nowhere/out{suffix}", f"folder{suffix}", f"file/out{suffix}"):
        for attempt in (check_output, lambda path: write_motion(take, path)):
            with pytest.raises(UniTalkerError) as caught:
                attempt(tmp_path / name)
            assert caught.value.code == "output.unwritable"
            assert name in caught.value.message


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".json"])
def test_a_failed_write_leaves_the_old_file_and_nothing_half_written(
    tmp_path: Path, take: FaceMotion, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / f"out{suffix}"
    target.write_bytes(b"the result of yesterday")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UniTalkerError, match="No space left"):
        write_motion(take, target)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert target.read_bytes() == b"the result of yesterday"


def test_a_path_with_quotes_and_other_scripts(tmp_path: Path, take: FaceMotion) -> None:
    target = tmp_path / 'it\'s "测试" ü.npz'
    write_motion(take, target)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_pc2_is_read_back_by_its_published_layout(tmp_path: Path, mesh_motion: FaceMotion) -> None:
    write_motion(mesh_motion, tmp_path / "out.pc2")
    content = (tmp_path / "out.pc2").read_bytes()
    signature, version, points, start, rate, samples = struct.unpack_from("<12siiffi", content)
    assert (signature, version, points, start, rate, samples) == (b"POINTCACHE2\0", 1, 2, 0.0, 1.0, 7)
    assert np.array_equal(np.frombuffer(content, "<f4", offset=32).reshape(7, 6), mesh_motion.values)


def test_mdd_is_read_back_by_its_published_layout(tmp_path: Path, mesh_motion: FaceMotion) -> None:
    write_motion(mesh_motion, tmp_path / "out.mdd")
    content = (tmp_path / "out.mdd").read_bytes()
    assert struct.unpack_from(">ii", content) == (7, 2)
    assert np.allclose(np.frombuffer(content, ">f4", 7, 8), np.arange(7) / 30)
    assert np.array_equal(np.frombuffer(content, ">f4", offset=8 + 4 * 7).reshape(7, 6), mesh_motion.values)


def test_point_caches_of_long_takes_are_written_piece_by_piece(tmp_path: Path) -> None:
    long = FaceMotion(np.random.default_rng(0).normal(0, 0.1, (2000, 1404)).astype(np.float32), 25.0, FACE)
    for suffix in ("pc2", "mdd"):
        tracemalloc.start()
        write_motion(long, tmp_path / f"out.{suffix}")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < long.values.nbytes / 2
        assert (tmp_path / f"out.{suffix}").stat().st_size > long.values.nbytes


@pytest.mark.parametrize("suffix", ["pc2", "mdd"])
def test_weights_are_no_point_cache(tmp_path: Path, take: FaceMotion, suffix: str) -> None:
    with pytest.raises(UniTalkerError, match=r"no vertices") as caught:
        write_motion(take, tmp_path / f"out.{suffix}")
    assert caught.value.code == "output.unwritable"
    assert list(tmp_path.iterdir()) == []

"""Motion files that other programs wrote, and that somebody damaged."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.annotation import Annotation, FaceMotion
from backend.errors import UniTalkerError
from backend.export import write_motion
from backend.export.live_link_face import ARKIT_COLUMNS, VALUE_COLUMNS
from backend.importing import read_motion
from backend.importing.live_link_face import read_live_link_face

ARKIT_51 = tuple(name[0].lower() + name[1:] for name in sorted(ARKIT_COLUMNS) if name != "TongueOut")
ARKIT = Annotation(type_name="arkit", kind="blendshapes", dim=51, fps=25, unit="weight", names=ARKIT_51)
MESH = Annotation(type_name="mesh", kind="vertices", dim=6, fps=30, unit="m")


def arkit_take(frames: int = 61, fps: float = 60.0) -> FaceMotion:
    values = np.random.default_rng(0).uniform(0, 1, (frames, 51)).astype(np.float32)
    return FaceMotion(values, fps, ARKIT, sound="voice.wav")


MESH_MOTION = FaceMotion(np.random.default_rng(0).normal(0, 0.1, (7, 6)).astype(np.float32), 30.0, MESH)

Rows = list[list[str]]


def csv_rows(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def write_rows(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """Ten seconds of a take as the app writes it."""
    write_motion(arkit_take(600), tmp_path / "recorded.csv")
    return csv_rows(tmp_path / "recorded.csv")


@pytest.mark.parametrize("suffix", ["npz", "json"])
@pytest.mark.parametrize("motion", [arkit_take(), MESH_MOTION], ids=["weights", "vertices"])
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str, motion: FaceMotion) -> None:
    write_motion(motion, tmp_path / f"out.{suffix}")
    back = read_motion(tmp_path / f"out.{suffix}")
    assert np.allclose(back.values, motion.values, atol=1e-6)
    assert (back.fps, back.annotation.channel_names) == (motion.fps, motion.annotation.channel_names)
    assert (back.annotation.kind, back.annotation.type_name) == (motion.annotation.kind, motion.annotation.type_name)
    if suffix == "json":
        assert back.sound == motion.sound


@given(
    frames=st.integers(1, 400),
    fps=st.sampled_from([24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 24000 / 1001, 30000 / 1001, 60000 / 1001]),
)
def test_a_take_is_read_back_at_any_rate(tmp_path_factory: pytest.TempPathFactory, frames: int, fps: float) -> None:
    path = tmp_path_factory.mktemp("take") / "take.csv"
    take = arkit_take(frames, fps)
    write_motion(take, path)
    for back in (read_live_link_face(path, fps), read_motion(path) if frames > 2 * fps else None):
        if back is not None:
            assert back.fps == pytest.approx(fps, rel=1e-6)
            names = back.annotation.channel_names
            columns = [names.index(name) for name in ARKIT_51]
            assert np.allclose(back.values[:, columns], take.values, atol=1e-6)


def test_columns_are_known_by_name_in_any_order_and_case(tmp_path: Path, rows: Rows) -> None:
    order = np.random.default_rng(1).permutation(len(rows[0]))
    shuffled = [[row[i] for i in order] for row in rows]
    shuffled[0] = [name.upper() for name in shuffled[0]]
    straight = read_motion(write_rows(tmp_path / "a.csv", rows))
    mixed = read_motion(write_rows(tmp_path / "b.csv", shuffled))
    for name in ("jawOpen", "mouthLeft", "jawRight", "headYaw"):
        column = straight.values[:, straight.annotation.names.index(name)]
        assert np.array_equal(mixed.values[:, mixed.annotation.names.index(name)], column)


def test_a_take_of_a_few_columns_is_enough(tmp_path: Path, rows: Rows) -> None:
    wanted = [rows[0].index(name) for name in ("Timecode", "JawOpen", "MouthClose")]
    motion = read_motion(write_rows(tmp_path / "few.csv", [[row[i] for i in wanted] for row in rows]))
    assert motion.annotation.names == ("jawOpen", "mouthClose")


def test_missing_frames_are_filled_in_and_noted(tmp_path: Path, rows: Rows) -> None:
    whole = read_motion(write_rows(tmp_path / "whole.csv", rows))
    gappy = read_motion(write_rows(tmp_path / "gappy.csv", rows[:101] + rows[104:]))
    assert len(gappy.values) == len(whole.values) == 600
    assert gappy.notes == ("3 of 600 frames are missing in the take and were filled in",)
    kept = [*range(100), *range(103, 600)]
    assert np.allclose(gappy.values[kept], whole.values[kept], atol=1e-6)
    assert np.allclose(gappy.values[101], (whole.values[99] + whole.values[103]) / 2, atol=1e-6)


def test_a_take_at_29_97_with_drop_frame_codes_has_the_right_length(tmp_path: Path, rows: Rows) -> None:
    codes = []
    for minute in range(3):
        for number in range(2 if minute else 0, 1800):
            codes.append(f"01:{minute:02}:{number // 30:02};{number % 30:02}.000")
    body = [[code, *rows[1][1:]] for code in codes]
    motion = read_motion(write_rows(tmp_path / "drop.csv", [rows[0], *body]))
    # The numbers that are left out at each full minute are no missing frames.
    assert abs(motion.duration - len(codes) * 1001 / 30000) < 0.2


def test_midnight_does_not_end_a_take(tmp_path: Path, rows: Rows) -> None:
    codes = [f"23:59:59:{i:02}.000" for i in range(60)] + [f"00:00:00:{i:02}.000" for i in range(60)]
    body = [[code, *row[1:]] for code, row in zip(codes, rows[1:121], strict=True)]
    motion = read_motion(write_rows(tmp_path / "night.csv", [rows[0], *body]))
    assert (len(motion.values), motion.fps, motion.notes) == (120, 60.0, ())


def test_a_last_row_that_is_cut_short_is_left_out(tmp_path: Path, rows: Rows) -> None:
    path = write_rows(tmp_path / "crash.csv", rows)
    text = path.read_text()
    path.write_text(text[: len(text) - 40])
    motion = read_motion(path)
    assert len(motion.values) == 599
    assert "cut short" in motion.notes[0]


def _with(rows: Rows, line: int, column: str, text: str) -> Rows:
    changed = [list(row) for row in rows]
    changed[line - 1][rows[0].index(column)] = text
    return changed


BAD_TAKES: dict[str, tuple[Callable[[Rows], Rows], str]] = {
    "only a header": (lambda rows: rows[:1], "no header and rows"),
    "a row too short": (lambda rows: [*rows[:5], rows[5][:-3], *rows[6:]], "line 6 has 60 columns"),
    "no time code": (lambda rows: [row[1:] for row in rows], "no column Timecode"),
    "other columns": (lambda rows: [["Timecode", "Foot"], ["00:00:00:00", "1"]], "JawOpen"),
    "a column twice": (lambda rows: [[*row, row[20]] for row in rows], "twice"),
    "not a number": (lambda rows: _with(rows, 4, "JawOpen", "nan"), "'nan' in line 4, column jawOpen"),
    "a word": (lambda rows: _with(rows, 4, "JawOpen", "wide"), "'wide' in line 4"),
    "nothing": (lambda rows: _with(rows, 4, "JawOpen", ""), "'' in line 4"),
    "a bad time code": (lambda rows: _with(rows, 4, "Timecode", "soon"), "'soon' in line 4"),
    "time goes back": (lambda rows: [*rows[:9], rows[4], *rows[9:]], "line 10 does not go on"),
}


@pytest.mark.parametrize("case", BAD_TAKES)
def test_a_bad_take_is_refused_with_its_place(tmp_path: Path, rows: Rows, case: str) -> None:
    change, text = BAD_TAKES[case]
    path = write_rows(tmp_path / "bad.csv", change(rows))
    with pytest.raises(UniTalkerError) as caught:
        read_motion(path)
    assert caught.value.code == "motion.unreadable"
    assert text in caught.value.message
    assert "bad.csv" in caught.value.message


def _damaged_jsons() -> dict[str, tuple[str, str]]:
    good = {"annotation": "arkit", "unit": "weight", "fps": 25.0, "names": ["a", "b"], "frames": [[0.1, 0.2]] * 3}
    return {
        "cut short": (json.dumps(good)[:-5], "cut short"),
        "of something else": ("[1, 2]", "something else"),
        "no frames": (json.dumps({**good, "frames": []}), "shape (0, 2)"),
        "frames missing": (json.dumps({key: good[key] for key in good if key != "frames"}), "no frames"),
        "ragged": (json.dumps({**good, "frames": [[0.1, 0.2], [0.1]]}), "frame 1 has 1 values for 2 names"),
        "NaN": (json.dumps({**good, "frames": [[0.1, float("nan")]]}), "frame 0 of b"),
        "text": (json.dumps({**good, "frames": [[0.1, "x"]]}), "not a number"),
        "huge": (json.dumps({**good, "frames": [[0.1, 1e300]]}), "not a number"),
        "no rate": (json.dumps({**good, "fps": 0}), "frame rate"),
        "unit": (json.dumps({**good, "unit": "furlong"}), "furlong"),
        "names twice": (json.dumps({**good, "names": ["a", "a"]}), "unique"),
        "deep": ("[" * 100_000, "no JSON"),
    }


@pytest.mark.parametrize("case", _damaged_jsons())
def test_bad_json_is_refused_with_a_reason(tmp_path: Path, case: str) -> None:
    text, reason = _damaged_jsons()[case]
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(UniTalkerError) as caught:
        read_motion(tmp_path / "bad.json")
    assert caught.value.code == "motion.unreadable"
    assert reason in caught.value.message


def test_bad_archives_are_refused_and_never_unpickled(tmp_path: Path) -> None:
    write_motion(arkit_take(), tmp_path / "good.npz")
    content = (tmp_path / "good.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.npz").write_text("Dear reader,")
    np.savez(tmp_path / "other.npz", values=np.zeros((3, 2), np.float32))
    np.savez(tmp_path / "pickle.npz", np.array({"a": Trap()}, dtype=object))
    values = np.full((3, 2), np.nan, np.float32)
    facts = {"names": np.array(["a", "b"]), "fps": 25.0, "unit": "weight", "annotation": "x"}
    np.savez(tmp_path / "nan.npz", values=values, **facts)
    np.savez(tmp_path / "complex.npz", values=np.zeros((3, 2), complex), **facts)
    for name in ("cut", "text", "other", "pickle", "nan", "complex"):
        with pytest.raises(UniTalkerError, match=f"{name}.npz cannot be read as motion"):
            read_motion(tmp_path / f"{name}.npz")


class Trap:
    """Unpickling it would fail the test."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return pytest.fail, ("a pickle was loaded",)


def test_what_is_not_there_or_not_motion_is_said(tmp_path: Path) -> None:
    for name, code in (("gone.json", "motion.not_found"), ("face.mp4", "motion.unreadable")):
        with pytest.raises(UniTalkerError) as caught:
            read_motion(tmp_path / name)
        assert caught.value.code == code


def test_the_apps_own_columns_are_all_known(rows: Rows) -> None:
    assert rows[0] == ["Timecode", "BlendShapeCount", *VALUE_COLUMNS]

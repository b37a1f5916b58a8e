"""`data check`: what it sees in real recordings, and that each thing that can be wrong is seen and named."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from backend.motion.alignment import AlignmentMeter
from training.cli import app
from training.datasets.alignment import opening_of, sound_level
from training.datasets.check import Findings, check
from training.datasets.layouts import open_source

from .conftest import write_data_set
from .recordings import RATE, syllables, voice

runner = CliRunner()
NAMES = ["jawOpen", "mouthClose", "browInnerUp"]


def checked(path: Path) -> Findings:
    return check(open_source(path), lambda done, total, name: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve good clips of two people."""
    annotation = {"annot_type": "w", "fps": 30, "kind": "blendshapes", "dim": 3, "names": NAMES}
    motion = np.column_stack([syllables(3, 30), 0.1 * syllables(3, 30), np.linspace(0, 0.5, 90)])
    write_data_set(tmp_path / "D", annotation, {f"c{n}": (n % 2, motion) for n in range(12)})
    for n in range(12):
        soundfile.write(tmp_path / f"D/clips/c{n}.flac", voice(3), RATE)
    return tmp_path / "D"


@pytest.mark.parametrize(("name", "clips", "minutes"), [("G2_facegood", 83, 10.9), ("G4_grid_speakers_mesh", 130, 6.5)])
def test_real_recordings_are_in_time_and_usable(name: str, clips: int, minutes: float, shared: Path) -> None:
    """The truth passes: weights of one face, vertices of nine, in two languages."""
    found = checked(shared / "bench" / name)
    assert found.is_usable and sum(found.clips.values()) == clips
    assert found.minutes == pytest.approx(minutes, abs=0.1)
    assert found.alignment is not None
    assert abs(found.alignment.offset) < 0.04 and found.alignment.correlation > 0.5


@pytest.mark.parametrize("late", [-0.2, 0.16, 0.24])
def test_real_motion_that_is_shifted_is_found_to_be(late: float, shared: Path) -> None:
    source = open_source(shared / "bench/G1_grid_arkit")
    meter, swapped = AlignmentMeter(), AlignmentMeter()
    clips = [recording.read() for recording in source.recordings[:60]]
    for clip, other in zip(clips, clips[1:] + clips[:1], strict=True):
        opening = np.roll(opening_of(clip.annotation, clip.motion), round(late * clip.fps))
        meter.add(opening, clip.fps, *sound_level(clip.audio))
        swapped.add(opening, clip.fps, *sound_level(other.audio))
    assert meter.alignment is not None and swapped.alignment is not None
    assert meter.alignment.offset == pytest.approx(late, abs=0.04)
    assert swapped.alignment.correlation < 0.6 * meter.alignment.correlation


def test_a_good_set_has_nothing_to_remark(folder: Path) -> None:
    found = checked(folder)
    assert found.is_usable and not found.remarks and not found.frozen and not found.clipped
    # The first two clips are in val, and the last two in test, beside train.
    assert dict(found.identities) == {"ann": 8, "bob": 8}
    assert found.alignment is not None and abs(found.alignment.offset) < 0.03


def test_every_fault_is_named(folder: Path) -> None:
    clips = folder / "clips"
    (clips / "c0.flac").unlink()
    motion = np.load(clips / "c1.npy")
    np.save(clips / "c1.npy", np.where(np.arange(90)[:, None] == 45, np.nan, motion))
    soundfile.write(clips / "c2.flac", voice(2), RATE)
    (clips / "c3.npy").write_bytes(b"no array")
    np.save(clips / "c4.npy", np.tile(motion[:1], (90, 1)))
    found = checked(folder)
    assert not found.is_usable
    assert "train.json: clips/c0.flac is missing" in found.missing
    assert found.not_finite == {"c1": 1}
    told = "\n".join(found.unusable)
    for expected in ("c1 contains NaN or infinite numbers in 1 of 90 frames", "c2 has 2.00 s of sound", "c3.npy"):
        assert expected in told
    assert "c4 does not move" in found.remarks


def test_dead_and_clipped_channels_are_named(folder: Path) -> None:
    for path in (folder / "clips").glob("*.npy"):
        motion = np.load(path)
        np.save(path, np.column_stack([np.minimum(motion[:, 0], 0.4), motion[:, 1], 0 * motion[:, 2]]))
    found = checked(folder)
    assert found.frozen == ["browInnerUp"]
    assert found.clipped == ["jawOpen at 0.4"]


def test_late_motion_is_remarked_for_the_person_it_is_of(folder: Path) -> None:
    for n in range(1, 12, 2):
        motion = np.load(folder / f"clips/c{n}.npy")
        np.save(folder / f"clips/c{n}.npy", np.roll(motion, 6, axis=0))
    (remark,) = [line for line in checked(folder).remarks if line.startswith("bob")]
    assert re.search(r"(19|20)\d ms after the sound", remark)


def test_somebody_who_is_only_tested_is_an_error(folder: Path) -> None:
    listing = json.loads((folder / "train.json").read_text())
    listing["data"] = [entry for entry in listing["data"] if entry["id"] == 0]
    (folder / "train.json").write_text(json.dumps(listing))
    assert any("bob is in val and not in train" in line for line in checked(folder).unusable)


def test_the_command_shows_a_table_and_tells_by_its_exit_code(folder: Path, tmp_path: Path) -> None:
    good = runner.invoke(app, ["data", "check", str(folder)])
    assert good.exit_code == 0
    for expected in ("D (official)", "12 train, 2 val, 2 test", "30", "2: ann (8), bob (8)", "correlation"):
        assert expected in good.stdout
    assert "\x1b" not in good.stdout
    shutil.copytree(folder, tmp_path / "E")
    (tmp_path / "E/clips/c5.npy").unlink()
    both = runner.invoke(app, ["data", "check", str(tmp_path), "--json"])
    assert both.exit_code == 1
    assert [(one["name"], one["usable"]) for one in json.loads(both.stdout)] == [("D", True), ("E", False)]


def test_the_command_goes_on_after_a_set_that_cannot_be_opened(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = runner.invoke(app, ["data", "check", str(tmp_path / "empty"), str(folder)])
    assert result.exit_code == 1
    assert "no known layout" in result.stderr and "D (official)" in result.stdout

"""`unitalker evaluate-motion` on real voices and takes, and what it says to input that it cannot use."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from backend import cli
from backend.annotation import Annotation, FaceMotion
from backend.errors import UniTalkerError
from backend.export import write_motion
from backend.motion.resample import resample
from training.datasets.official import OfficialDataSet
from training.motion_cli import evaluate_motion_command
from training.motion_measures.catalogue import MEASURES

from .conftest import sound_of, speaking

runner = CliRunner()
commands = typer.Typer()
commands.command()(evaluate_motion_command)
NAMES = ("jawOpen", "mouthClose", "mouthPucker")
ARKIT = Annotation(type_name="arkit", kind="blendshapes", dim=3, fps=25, unit="weight", names=NAMES)


def evaluated(*arguments: object) -> dict[str, Any]:
    result = runner.invoke(commands, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def takes(tmp_path: Path) -> Path:
    """Three sounds, and in ``motion`` what the mouth does to them."""
    (tmp_path / "motion").mkdir()
    for number in range(3):
        values = speaking(100, 3, number).astype(np.float32) * np.float32([1, 0.1, 0.3])
        soundfile.write(tmp_path / f"s{number}.wav", sound_of(values, 25), 16000)
        write_motion(FaceMotion(values, 25, ARKIT), tmp_path / f"motion/s{number}.npz")
    return tmp_path


def test_the_bundled_model_is_measured_on_sentences_with_phones(shared: Path) -> None:
    found = evaluated(shared / "speech/librivox", "--device", "cpu")
    assert found["subject"].startswith("unitalker-s, mediapipe_blendshape_weight")
    assert found["recordings"] == found["with_phones"] == 5
    readings = found["readings"]
    assert {one.name for one in MEASURES if one.needs_phones} <= readings.keys()
    assert readings["near closures"]["value"] > 0.9
    assert readings["false closures"]["value"] < 0.05
    assert abs(readings["offset (ms)"]["value"]) < 40
    assert readings["range"]["low"] < readings["range"]["value"] < readings["range"]["high"]


def test_other_heads_and_people_of_the_model_are_measured(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "one.wav").write_bytes((shared / "speech/librivox").glob("*-0870.wav").__next__().read_bytes())
    found = evaluated(tmp_path, "--head", "facegood_blendshape_weight", "--device", "cpu")
    assert any("no jawOpen and mouthClose" in note for note in found["notes"])
    assert "sound r" in found["readings"]
    lips = shared / "bench/G0_grid_mesh/lip_idx.npy"
    mesh = evaluated(tmp_path, "--head", "mediapipe_468_vertices", "--lips", lips, "--device", "cpu")
    assert 0.002 < mesh["readings"]["range"]["value"] < 0.05, "metres"
    with pytest.raises(UniTalkerError, match="--lips"):
        evaluated(tmp_path, "--head", "mediapipe_468_vertices", "--device", "cpu")


def test_measured_motion_gives_correlation_and_lag_of_every_channel(shared: Path, tmp_path: Path) -> None:
    """A real take against itself, 80 ms late, half as strong and at another frame rate."""
    clip = next(OfficialDataSet(shared / "bench/G1_grid_arkit").clips("val"))
    soundfile.write(tmp_path / "clip.wav", clip.audio, 16000)
    for folder in ("shown", "measured"):
        (tmp_path / folder).mkdir()
    motion = FaceMotion(clip.motion, 25, clip.annotation)
    write_motion(motion, tmp_path / "measured/clip.npz")
    late = resample(motion, 50, offset=0.08)
    write_motion(FaceMotion(late.values / 2, 50, late.annotation), tmp_path / "shown/clip.json")
    found = evaluated(tmp_path, "--motion", tmp_path / "shown", "--truth", tmp_path / "measured")
    assert found["channels"]["jawOpen"]["lag_ms"] == pytest.approx(80, abs=20)
    assert 0.1 < found["channels"]["jawOpen"]["pearson_r"] < 0.95
    itself = evaluated(tmp_path, "--motion", tmp_path / "measured", "--truth", tmp_path / "measured")
    assert itself["channels"]["jawOpen"]["pearson_r"] == pytest.approx(1)
    assert itself["channels"]["tongueOut"]["pearson_r"] is None if "tongueOut" in itself["channels"] else True
    assert itself["readings"]["range"]["low"] is None, "one recording tells no interval"


def test_motion_files_are_measured_beside_their_sounds(takes: Path) -> None:
    found = evaluated(takes, "--motion", takes / "motion")
    assert found["recordings"] == 3 and found["with_phones"] == 0
    assert found["readings"].keys() <= {one.name for one in MEASURES if not one.needs_phones}
    assert found["readings"]["sound r"]["value"] > 0.4
    assert any("no phone times" in note for note in found["notes"])
    table = runner.invoke(commands, [str(takes), "--motion", str(takes / "motion")], catch_exceptions=False).stdout
    for said in ("3 recordings", "sound r", "95 % interval", "as measured", "note: no phone times"):
        assert said in table


def test_phones_from_a_file_count_too(takes: Path) -> None:
    rows = [[0, 0.9, "SIL"], [1.0, 1.2, "AA"], [1.3, 1.5, "M"], [3.1, 4, "SIL"]]
    (takes / "times.json").write_text(json.dumps({f"s{number}": rows for number in range(3)}))
    found = evaluated(takes, "--motion", takes / "motion", "--phones", takes / "times.json")
    assert found["with_phones"] == 3
    assert {"closures", "false closures", "AUC closure"} <= found["readings"].keys()
    assert "AUC rounding" not in found["readings"], "there is no mouthFunnel"


def _nothing(folder: Path) -> list[object]:
    (folder / "empty").mkdir()
    return [folder / "empty"]


def _other_length(folder: Path) -> list[object]:
    soundfile.write(folder / "s1.wav", np.zeros(16000 * 9), 16000)
    return [folder, "--motion", folder / "motion"]


def _other_channels(folder: Path) -> list[object]:
    pair = ARKIT.model_copy(update={"names": ("a", "b", "c")})
    write_motion(FaceMotion(np.zeros((100, 3), np.float32), 25, pair), folder / "motion/s1.npz")
    return [folder, "--motion", folder / "motion"]


def _nothing_in_common(folder: Path) -> list[object]:
    (folder / "truth").mkdir()
    pair = ARKIT.model_copy(update={"names": ("a", "b", "c")})
    write_motion(FaceMotion(np.zeros((100, 3), np.float32), 25, pair), folder / "truth/s1.npz")
    return [folder, "--motion", folder / "motion", "--truth", folder / "truth"]


def _same_name(folder: Path) -> list[object]:
    (folder / "more").mkdir()
    (folder / "more/s1.wav").write_bytes((folder / "s1.wav").read_bytes())
    return [folder, "--motion", folder / "motion"]


def _damaged(folder: Path) -> list[object]:
    (folder / "motion/s1.npz").write_bytes(b"no zip")
    return [folder, "--motion", folder / "motion"]


def _bad_phones(folder: Path) -> list[object]:
    (folder / "phones.json").write_text("{")
    return [folder, "--motion", folder / "motion"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_nothing, r"no sound file in .*empty.*\.wav"),
        (lambda folder: [folder / "gone"], r"no folder .*gone"),
        (lambda folder: [folder, "--motion", folder / "nothing"], r"nothing holds no motion file"),
        (lambda folder: [folder, "--model", "nobody"], "nobody"),
        (_other_length, r"s1 has 9\.00 s of sound and 4\.00 s of motion"),
        (_other_channels, "different channels"),
        (_nothing_in_common, "no channel name in common"),
        (_same_name, r"more.s1\.wav and .*s1\.wav have the same name"),
        (_damaged, r"s1\.npz"),
        (_bad_phones, r"phones\.json holds no phone times"),
    ],
)
def test_input_that_cannot_be_used_is_named(takes: Path, spoil: Any, said: str) -> None:
    with pytest.raises(UniTalkerError, match=said):
        runner.invoke(commands, [str(argument) for argument in spoil(takes)], catch_exceptions=False)


def test_it_is_a_command_of_its_own_and_says_what_to_install(
    takes: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = EntryPoint("evaluate-motion", "training.motion_cli:evaluate_motion_command", cli.PLUGIN_GROUP)
    monkeypatch.setattr(cli, "entry_points", lambda group: [entry])
    everything = typer.Typer()
    everything.command("other")(lambda: None)
    cli.add_plugins(everything, ["evaluate-motion"])
    result = runner.invoke(everything, ["evaluate-motion", str(takes), "--motion", str(takes / "motion"), "--json"])
    assert json.loads(result.stdout)["recordings"] == 3
    for name in [one for one in sys.modules if one.startswith("training.motion_measures")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(UniTalkerError, match="pip install scikit-learn pyyaml"):
        runner.invoke(everything, ["evaluate-motion", str(takes)], catch_exceptions=False)

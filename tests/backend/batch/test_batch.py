"""Many sounds at once, as a person calls it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from backend.audio import read_audio
from backend.bundle import load_bundle
from backend.engines.torch_engine import TorchEngine
from backend.inference import AnimateOptions, animate
from tests.backend.batch.conftest import RunBatch, make_voice, outputs


def test_a_second_run_does_nothing_and_a_third_only_what_changed(batch: RunBatch, voices: Path, tmp_path: Path) -> None:
    first = batch(voices)
    assert (first.code, first.totals) == (0, (6, 0, 0, 0))
    written = outputs(tmp_path / "out")
    assert list(written) == [f"voice {number}.npz" for number in range(6)]

    second = batch(voices)
    assert (second.code, second.totals) == (0, (0, 6, 0, 0))
    assert outputs(tmp_path / "out") == written

    make_voice(voices / "voice 2.wav", 0.7, 99)
    (tmp_path / "out" / "voice 4.npz").unlink()
    damaged = tmp_path / "out" / "voice 5.npz"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    third = batch(voices)
    assert (third.code, third.totals) == (0, (3, 3, 0, 0))
    changed = {name for name, time in outputs(tmp_path / "out").items() if written[name] != time}
    assert changed == {"voice 2.npz", "voice 4.npz", "voice 5.npz"}


def test_other_settings_and_another_model_are_done_anew(
    batch: RunBatch, voices: Path, tiny_model: Path, tmp_path: Path
) -> None:
    batch(voices)
    assert batch(voices, "--intensity", "0.5").totals == (6, 0, 0, 0)
    assert batch(voices, "--intensity", "0.5").totals == (0, 6, 0, 0)
    other = tmp_path / "model"
    shutil.copytree(tiny_model, other)
    manifest = other / "model.json"
    manifest.write_text(manifest.read_text().replace("Mouth weights", "Other weights"))
    assert batch(voices, "--intensity", "0.5", "--model", other).totals == (6, 0, 0, 0)


def test_every_file_is_what_a_single_run_makes_of_it(
    batch: RunBatch, speech_folder: Path, bundled_model: Path, tmp_path: Path
) -> None:
    """On real voices, in one process on the CPU: the same numbers to the bit."""
    folder = tmp_path / "voices"
    folder.mkdir()
    for path in sorted(speech_folder.glob("librispeech/*.flac"))[:3]:
        shutil.copy(path, folder)
    assert batch(folder, "--model", bundled_model, "--device", "cpu").code == 0
    engine = TorchEngine(load_bundle(bundled_model))
    for path in folder.iterdir():
        single = animate(engine, read_audio(path), AnimateOptions()).values
        with np.load(tmp_path / "out" / f"{path.stem}.npz") as data:
            assert np.array_equal(data["values"], single)


def test_the_report_says_how_good_each_motion_is(
    batch: RunBatch, speech_folder: Path, bundled_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "voices"
    folder.mkdir()
    shutil.copy(speech_folder / "jfk_16k.wav", folder)
    for _ in range(2):
        (item,) = batch(folder, "--model", bundled_model).report["items"]
        assert (item["frames"], item["seconds"]) == (275, 11.0)
        assert 0.1 < item["quality"]["range"] <= 1
    assert item["status"] == "skipped"


def test_folders_are_repeated_and_what_is_no_sound_is_left_alone(batch: RunBatch, voices: Path, tmp_path: Path) -> None:
    (voices / "scene 2").mkdir()
    make_voice(voices / "scene 2" / "voice 0.WAV", 0.5)
    (voices / "notes.txt").write_text("take 3 is the good one")
    assert batch(voices, "--format", "json").totals == (7, 0, 0, 0)
    written = outputs(tmp_path / "out")
    assert "scene 2/voice 0.json" in written
    assert len(written) == 7


def test_several_heads_and_identities_of_each_sound(batch: RunBatch, voices: Path, tmp_path: Path) -> None:
    options = [*("--head", "weights", "--head", "mesh"), *("--identity", "one", "--identity", "two")]
    assert batch(voices, *options).totals == (24, 0, 0, 0)
    written = outputs(tmp_path / "out")
    assert {name for name in written if name.startswith("voice 0")} == {
        f"voice 0.{head}.{identity}.npz" for head in ("weights", "mesh") for identity in ("one", "two")
    }
    with np.load(tmp_path / "out" / "voice 0.mesh.two.npz") as data:
        assert data["values"].shape == (15, 15)
        assert str(data["annotation"]) == "mesh"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--head", "gone"], "weights, mesh"),
        (["--identity", "gone"], "one, two, pivot"),
        (["--device", "tpu"], "cuda:0,1"),
        (["--model", "gone"], "no model 'gone'"),
        (["--report", "/nowhere/report.json"], "no folder"),
    ],
)
def test_what_is_wrong_with_the_whole_call_is_said_before_the_work(
    batch: RunBatch, voices: Path, tmp_path: Path, options: list[str], text: str
) -> None:
    ran = batch(voices, *options)
    assert ran.code == 1
    assert ran.text.startswith("error: ")
    assert text in ran.text
    assert not (tmp_path / "out").exists()


def test_a_folder_without_sounds_is_an_error(batch: RunBatch, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = batch(tmp_path / "empty")
    assert ran.code == 1
    assert "names no sound" in ran.text

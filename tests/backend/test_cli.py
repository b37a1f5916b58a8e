"""The `unitalker` command as a person calls it."""

from __future__ import annotations

import csv
import functools
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer

from backend import __version__, cli

ROOT = Path(__file__).resolve().parents[2]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def process(backend_environment: dict[str, str]) -> Run:
    """`python -m backend …` in a process of its own."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "backend", *map(str, arguments)]
        return subprocess.run(
            command, cwd=ROOT, env=backend_environment, capture_output=True, encoding="utf-8", timeout=120
        )

    return run


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(call_with: Call, backend_environment: dict[str, str]) -> Call:
    """The same in this process: exit code, stdout, stderr."""
    return functools.partial(call_with, backend_environment["UNITALKER_MODELS"])


def test_from_sound_to_file_in_a_process_of_its_own(process: Run, murmur: Path, tmp_path: Path) -> None:
    output = tmp_path / 'it\'s "测试" ü.npz'
    done = process("animate", murmur, "-o", output, "--model", "tiny", "--fps", "30")
    assert (done.returncode, done.stderr) == (0, "")
    assert "60 frames, 2.00 s at 30 fps" in done.stdout
    with np.load(output, allow_pickle=False) as data:
        assert data["values"].shape == (60, 4)
        assert float(data["fps"]) == 30


def test_every_format_holds_the_same_motion(call: Call, murmur: Path, tmp_path: Path) -> None:
    for suffix in ("npz", "csv", "json"):
        code, _, err = call("animate", murmur, "-o", tmp_path / f"out.{suffix}", "--model", "tiny")
        assert (code, err) == (0, "")
    with np.load(tmp_path / "out.npz") as data:
        jaw = data["values"][:, 0]
    with (tmp_path / "out.csv").open(newline="") as file:
        assert np.allclose([float(row["JawOpen"]) for row in csv.DictReader(file)], jaw, atol=1e-6)
    frames = json.loads((tmp_path / "out.json").read_text())["frames"]
    assert np.allclose([frame[0] for frame in frames], jaw, atol=1e-6)


def test_every_real_voice_is_animated(call: Call, speech_folder: Path, tmp_path: Path) -> None:
    voices = [path for path in sorted(speech_folder.rglob("*")) if path.suffix in (".wav", ".flac")]
    for voice in voices:
        assert call("animate", voice, "-o", tmp_path / "out.npz", "--model", "tiny")[0] == 0
        with np.load(tmp_path / "out.npz") as data:
            assert len(data["values"]) == pytest.approx(soundfile.info(voice).duration * 25, abs=1)
            assert np.ptp(data["values"], axis=0).max() > 0.01


def test_options_reach_the_motion(call: Call, murmur: Path, tmp_path: Path) -> None:
    code, out, _ = call(
        *("animate", murmur, "-o", tmp_path / "a.npz", "--model", "tiny", "--head", "mesh"),
        *("--identity", "one", "--intensity", "0", "--smoothing", "0.2", "--device", "cpu"),
    )
    assert code == 0
    assert "15 channels of mesh, identity one, torch on cpu" in out
    with np.load(tmp_path / "a.npz") as data:
        assert np.ptp(data["values"], axis=0).max() < 1e-6


def test_a_preset_a_file_and_options_lie_on_top_of_each_other(call: Call, murmur: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text('{"blinks": {"rate": 60}, "head": {"on": false}}')
    arguments = ("animate", murmur, "--model", "tiny", "--preset", "natural", "--direction", mine, "--fps", "60")
    assert call(*arguments, "-o", tmp_path / "a.npz")[0] == 0
    assert call(*arguments, "-o", tmp_path / "b.npz", "--intensity", "0")[0] == 0
    with np.load(tmp_path / "a.npz") as lively, np.load(tmp_path / "b.npz") as quiet:
        names = lively["names"].tolist()
        assert lively["values"][:, names.index("eyeBlinkLeft")].max() > 0.9
        # The layer is off; breath alone moves the head.
        assert np.degrees(np.abs(lively["values"][:, names.index("headPitch")])).max() < 2
        funnel = names.index("mouthFunnel")
        assert lively["values"][:, funnel].max() > 0.1 > quiet["values"][:, funnel].max() == 0


def test_two_styles_blend(call: Call, murmur: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text('{"style_blend": 1}')
    blended = ("--identity", "one", "--identity-b", "two", "--direction", mine)
    for name, options in (("blended", blended), ("two", ("--identity", "two"))):
        assert call("animate", murmur, "-o", tmp_path / f"{name}.npz", "--model", "tiny", *options)[0] == 0
    with np.load(tmp_path / "blended.npz") as one, np.load(tmp_path / "two.npz") as other:
        assert np.array_equal(one["values"], other["values"])


def bad_calls(folder: Path, murmur: Path, video: Path) -> list[tuple[list[object], str]]:
    """Arguments, and what the message has to say."""
    out = folder / "out.npz"
    (folder / "text.wav").write_text("Dear reader,")
    (folder / "empty.wav").touch()
    (folder / "damaged.flac").write_bytes(b"fLaC" + bytes(range(200)))
    soundfile.write(folder / "zero.wav", np.zeros(0), 16000)
    soundfile.write(folder / "click.wav", np.zeros(800), 16000)
    soundfile.write(folder / "nan.wav", np.full(16000, np.nan), 16000, subtype="FLOAT")
    with soundfile.SoundFile(folder / "hours.flac", "w", 8000, 1) as file:
        for _ in range(190):
            file.write(np.zeros(60 * 8000, np.int16))
    sounds = [
        (folder / "gone.wav", "no file"),
        (folder, "is a folder"),
        (folder / "text.wav", "not sound"),
        (folder / "empty.wav", "0 bytes"),
        (folder / "damaged.flac", "damaged"),
        (video, "not sound"),
        (folder / "zero.wav", "0 s"),
        (folder / "click.wav", "at least 0.1 s"),
        (folder / "hours.flac", "3 hours"),
        (folder / "nan.wav", "NaN"),
    ]
    outputs = [
        (["-o", folder / "gone" / "out.npz"], "Cannot write"),
        (["-o", folder / "out.mp4"], ".npz"),
        (["-o", out, "--preset", "gone"], "anime, broad, game, natural, subtle"),
        (["-o", out, "--direction", folder / "text.wav"], "text.wav"),
        (["-o", out, "--model", "gone"], "no model 'gone'"),
        (["-o", out, "--head", "gone"], "weights, mesh"),
        (["-o", out, "--identity", "gone"], "one, two, pivot"),
        (["-o", folder / "out.csv", "--head", "mesh"], "ARKit"),
        (["-o", out, "--device", "mps"], "auto"),
    ]
    return [(["animate", sound, "-o", out, "--model", "tiny"], text) for sound, text in sounds] + [
        (["animate", murmur, *([] if "--model" in options else ["--model", "tiny"]), *options], text)
        for options, text in outputs
    ]


@pytest.mark.skipif(sys.platform == "darwin", reason="has the device that is asked for in vain")
def test_everything_bad_is_said_once_and_leaves_nothing(call: Call, murmur: Path, tmp_path: Path, shared: Path) -> None:
    video = next(shared.glob("video/*.mpg"))
    cases = bad_calls(tmp_path, murmur, video)
    before = sorted(tmp_path.iterdir())
    for arguments, text in cases:
        code, out, err = call(*arguments)
        assert (code, out) == (1, ""), arguments
        assert err.startswith("error: "), arguments
        assert err.count("error:") == 1, arguments
        assert text in err, arguments
        assert "Traceback" not in err, arguments
        assert len(err.splitlines()) <= 2, arguments
    assert sorted(tmp_path.iterdir()) == before


def test_a_bad_call_in_a_process_of_its_own_ends_with_1(process: Run, tmp_path: Path) -> None:
    done = process("animate", tmp_path / "gone.wav", "-o", tmp_path / "out.npz", "--model", "tiny")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: There is no file")


@pytest.mark.parametrize("option", [("--fps", "0"), ("--intensity", "-1"), ("--smoothing", "x"), ("--device", "tpu")])
def test_values_out_of_range_name_the_option(call: Call, murmur: Path, tmp_path: Path, option: tuple[str, str]) -> None:
    code, _, err = call("animate", murmur, "-o", tmp_path / "out.npz", *option)
    assert code == 2
    assert option[0] in err


def test_help_version_and_bad_sounds_import_no_torch(backend_environment: dict[str, str], tmp_path: Path) -> None:
    code = (
        "import sys\nsys.argv = ['unitalker', *{arguments!r}]\nfrom backend.cli import main\n"
        "try: main()\nexcept SystemExit: pass\nassert 'torch' not in sys.modules"
    )
    gone = str(tmp_path / "gone.wav")
    for arguments in (["animate", "--help"], ["--version"], ["models"], ["animate", gone, "-o", gone + ".npz"]):
        command = [sys.executable, "-c", code.format(arguments=arguments)]
        done = subprocess.run(command, cwd=ROOT, env=backend_environment, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stderr


def test_version(call: Call) -> None:
    assert call("--version")[:2] == (0, f"unitalker {__version__}\n")


def test_models_are_listed_with_what_they_can_do(call: Call) -> None:
    listed = call("models")
    assert listed == call("models", "list")
    for text in ("tiny", "CC0-1.0", "weights (default)", "Mouth weights", "mesh", "one, two, pivot"):
        assert text in listed[1]


def test_a_model_is_inspected_by_name_and_by_folder(call: Call, tiny_model: Path) -> None:
    by_name = call("models", "inspect", "tiny")
    assert by_name[0] == 0
    assert by_name == call("models", "inspect", tiny_model)
    for text in ("tiny", "CC0-1.0", "whisper", "15 channels at 30 fps", "3 PCA components"):
        assert text in by_name[1]


def test_a_checkpoint_that_is_none_is_refused(call: Call, tmp_path: Path) -> None:
    (tmp_path / "letter.pt").write_text("Dear reader,")
    for arguments in (("inspect", tmp_path / "letter.pt"), ("import", tmp_path / "letter.pt", "--into", tmp_path)):
        code, out, err = call("models", *arguments)
        assert (code, out) == (1, "")
        assert err.startswith("error: ")
        assert "letter.pt" in err
    assert [path.name for path in tmp_path.iterdir()] == ["letter.pt"]


def test_doctor_names_everything_a_job_needs(call: Call) -> None:
    code, out, _ = call("doctor")
    assert code == 0
    engines = ("transformers", "engine torch", "onnxruntime", "engine onnx")
    for text in ("Python", "soundfile", *engines, "cpu", "tiny", __version__):
        assert text in out
    assert "NO" not in out


def test_doctor_says_what_to_do_about_what_is_missing(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.doctor._PACKAGES", ("numpy", "no-such-package"))
    monkeypatch.setattr("backend.doctor.list_models", lambda: ([], ["the model x is broken"]))
    code, out, _ = call("doctor")
    assert code == 1
    assert "pip install no-such-package" in out
    assert "the model x is broken" in out
    assert "UNITALKER_MODELS" in out


def plugin(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    entry = EntryPoint("dance", target, cli.PLUGIN_GROUP)
    monkeypatch.setattr(cli, "entry_points", lambda group: [entry] if group == cli.PLUGIN_GROUP else [])


plugin_app = typer.Typer()


@plugin_app.command("waltz")
def waltz() -> None:
    typer.echo("one two three")


@plugin_app.callback()
def _dance() -> None: ...


def test_a_plug_in_adds_its_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = typer.Typer()
    commands.command("sit")(lambda: None)
    monkeypatch.setitem(sys.modules, "dance_plugin", sys.modules[__name__])
    plugin(monkeypatch, "dance_plugin:plugin_app")
    cli.add_plugins(commands, ["sit"])
    assert [group.name for group in commands.registered_groups] == []
    cli.add_plugins(commands, ["dance", "waltz"])
    assert [group.name for group in commands.registered_groups] == ["dance"]


def test_a_broken_plug_in_is_one_line_and_the_rest_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin(monkeypatch, "no_such_module:app")
    cli.add_plugins(typer.Typer(), ["--help"])
    assert capsys.readouterr().err == (
        "note: the command dance is not available (ModuleNotFoundError: No module named 'no_such_module').\n"
    )

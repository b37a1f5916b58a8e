"""The backend as the extension's zip carries it: ONNX Runtime and little else; and packages that do not fit."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from backend import engine, installed_wheels, processor
from backend.engine import choose_engine, find_engines
from backend.errors import UniTalkerError
from backend.installed_wheels import misfit

ROOT = Path(__file__).resolve().parents[2]

# What is in the development environment and not in the zip.
ABSENT = ("torch", "transformers", "safetensors", "typer", "rich", "click", "onnx", "scipy", "sklearn")

HIDE = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
import importlib.util as util
find = util.find_spec
util.find_spec = lambda name, package=None: None if name in {ABSENT} else find(name, package)
"""


@pytest.fixture
def little_installed(tmp_path: Path) -> str:
    """For PYTHONPATH: a start-up file that hides what the zip does not carry."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(HIDE)
    return str(tmp_path / "site")


def test_a_job_without_torch_or_a_command_line(
    start_backend: Callable[..., object],
    little_installed: str,
    bundled_model: Path,
    speech_folder: Path,
    tmp_path: Path,
) -> None:
    backend = start_backend(PYTHONPATH=little_installed)
    hello = backend.event()  # type: ignore[attr-defined]
    assert (hello["engines"], hello["problems"]) == (["onnx"], [])
    request = {"audio": str(speech_folder / "jfk_16k.wav"), "output": str(tmp_path / "a.npz")}
    backend.send(type="animate", id=1, model=str(bundled_model), **request)  # type: ignore[attr-defined]
    result = backend.ending(1)  # type: ignore[attr-defined]
    assert (result["type"], result["device"]) == ("result", "cpu")
    with np.load(tmp_path / "a.npz") as motion:
        jaw = motion["values"][:, list(motion["names"]).index("jawOpen")]
    assert np.ptp(jaw) > 0.1


def test_a_model_without_graph_needs_torch_and_says_so(
    start_backend: Callable[..., object], little_installed: str, tiny_model: Path, murmur: Path, tmp_path: Path
) -> None:
    backend = start_backend(PYTHONPATH=little_installed)
    request = {"audio": str(murmur), "output": str(tmp_path / "a.npz")}
    backend.send(type="animate", id=1, model=str(tiny_model), **request)  # type: ignore[attr-defined]
    ending = backend.ending(1)  # type: ignore[attr-defined]
    assert (ending["type"], ending["code"]) == ("error", "model.no_onnx")


def test_a_package_that_cannot_be_loaded_is_told_in_the_last_line(tmp_path: Path) -> None:
    wheel = tmp_path / "pydantic_core-9.9.dist-info"
    (tmp_path / "pydantic_core").mkdir()
    (tmp_path / "pydantic_core" / "__init__.py").write_text("from . import _pydantic_core\n")
    wheel.mkdir()
    (wheel / "METADATA").write_text("Metadata-Version: 2.1\nName: pydantic_core\nVersion: 9.9\n")
    (wheel / "WHEEL").write_text("Wheel-Version: 1.0\nTag: cp313-cp313-win_amd64\n")
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv[1:] = ['serve'];"]
    command[-1] += "import runpy; runpy.run_module('backend', run_name='__main__')"
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert "pydantic_core 9.9 is made for cp313-cp313-win_amd64; this is Python 3" in last


@pytest.mark.parametrize(
    ("tag", "system", "machine", "fits"),
    [
        ("cp{0}{1}-cp{0}{1}-manylinux_2_28_x86_64", "linux", "x86_64", True),
        ("cp{0}{1}-cp{0}{1}-manylinux_2_28_aarch64", "linux", "x86_64", False),
        ("cp{0}{1}-cp{0}{1}-macosx_14_0_arm64", "darwin", "arm64", True),
        ("cp{0}{1}-cp{0}{1}-macosx_14_0_x86_64", "darwin", "arm64", False),
        ("cp{0}{1}-cp{0}{1}-macosx_11_0_universal2", "darwin", "arm64", True),
        ("cp{0}{1}-cp{0}{1}-win_amd64", "win32", "AMD64", True),
        ("cp{0}{1}-cp{0}{1}-win_amd64", "linux", "x86_64", False),
        ("py2.py3-none-manylinux_2_28_x86_64", "linux", "x86_64", True),
        ("py3-none-any", "win32", "AMD64", True),
        ("cp39-abi3-win_amd64", "win32", "AMD64", True),
        ("cp399-cp399-manylinux_2_28_x86_64", "linux", "x86_64", False),
        ("cp399-abi3-manylinux_2_28_x86_64", "linux", "x86_64", False),
    ],
)
def test_wheels_of_other_pythons_and_platforms_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, tag: str, system: str, machine: str, fits: bool
) -> None:
    class Wheel:
        version = "1.2"

        def read_text(self, _: str) -> str:
            return "Tag: " + tag.format(*sys.version_info)

    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Wheel())
    monkeypatch.setattr(installed_wheels.sys, "platform", system)
    monkeypatch.setattr(installed_wheels.platform, "machine", lambda: machine)
    problem = misfit("onnxruntime")
    assert (problem is None) == fits
    assert fits or "onnxruntime 1.2 is made for" in str(problem)


def test_everything_installed_here_fits() -> None:
    assert list(installed_wheels.misfits()) == []


@pytest.fixture
def only_onnx(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    missing = engine._missing
    monkeypatch.setattr(engine, "_missing", lambda name: ["torch"] if name == "torch" else missing(name))
    yield


@pytest.mark.usefixtures("only_onnx")
def test_an_old_processor_is_told_and_not_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(processor, "_CPU_INFO", info)
    monkeypatch.setattr(processor.platform, "machine", lambda: "x86_64")
    info.write_text("processor : 0\nflags : fpu sse2 avx avx2\n")
    assert find_engines() == (["onnx"], [])
    info.write_text("processor : 0\nflags : fpu sse2 avx\n")
    engines, problems = find_engines()
    assert engines == []
    assert "AVX2" in problems[0]
    with pytest.raises(UniTalkerError, match="AVX2") as caught:
        choose_engine("onnx")
    assert caught.value.code == "engine.missing"


@pytest.mark.usefixtures("only_onnx")
def test_the_engine_is_onnx_where_there_is_no_torch() -> None:
    assert choose_engine("auto") == "onnx"
    with pytest.raises(UniTalkerError, match="torch is not installed") as caught:
        choose_engine("torch")
    assert "pip install" in caught.value.hint

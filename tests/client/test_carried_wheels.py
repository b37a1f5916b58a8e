"""Blender's own Python runs the backend with the packages of the extension's zip."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from unitalker_blender.client.carried_wheels import CARRIED_PACKAGES
from unitalker_blender.client.environment import resolve_command
from unitalker_blender.client.errors import UniTalkerError
from unitalker_blender.client.process import describe_exit


@pytest.fixture
def extension(tmp_path: Path) -> Path:
    """An extension as installed from a zip."""
    folder = tmp_path / "extension"
    (folder / "backend").mkdir(parents=True)
    (folder / "backend" / "__main__.py").touch()
    (folder / "wheels").mkdir()
    for tag in ("cp311-cp311-win_amd64", "cp313-cp313-win_amd64"):
        (folder / "wheels" / f"onnxruntime-1.31.1-{tag}.whl").touch()
    return folder


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the import path, and on it alone, into which Blender has unpacked wheels."""
    folder = tmp_path / "site-packages"
    for name in CARRIED_PACKAGES:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").touch()
    (folder / "soundfile").rename(folder / "soundfile.d")
    (folder / "soundfile.py").touch()
    for name in [name for name in sys.modules if name.partition(".")[0] in CARRIED_PACKAGES]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(folder)])
    return folder


def test_an_installed_extension_runs_in_blenders_own_python(extension: Path, unpacked: Path, tmp_path: Path) -> None:
    environ = {"XDG_DATA_HOME": str(tmp_path / "data"), "LOCALAPPDATA": str(tmp_path / "data")}
    command = resolve_command("", extension, environ)
    assert (command.python, command.packages) == (Path(sys.executable), (unpacked,))
    assert command.carried
    environment = command.environment({"PYTHONPATH": "/of/blender"})
    assert str(unpacked) in environment["PYTHONPATH"]
    assert environment["PYTHONNOUSERSITE"] == "1"
    assert "zip" in command.repair_hint()


def test_whoever_named_a_python_gets_it(extension: Path, unpacked: Path) -> None:
    command = resolve_command(sys.executable, extension, {})
    assert (command.packages, command.carried) == ((), False)


def test_a_zip_for_another_system_is_named(extension: Path, unpacked: Path, tmp_path: Path) -> None:
    (unpacked / "onnxruntime").rename(unpacked / "gone")
    environ = {"XDG_DATA_HOME": str(tmp_path / "data"), "LOCALAPPDATA": str(tmp_path / "data")}
    with pytest.raises(UniTalkerError, match="cp311-cp311-win_amd64, cp313-cp313-win_amd64") as caught:
        resolve_command("", extension, environ)
    assert caught.value.code == "backend.wheels"
    assert "onnxruntime" in caught.value.message
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" in caught.value.message


@pytest.mark.parametrize("code", [-4, 0xC000001D])
def test_a_backend_ended_by_an_old_processor_is_explained(code: int) -> None:
    assert "AVX2" in describe_exit(code)

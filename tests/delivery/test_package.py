"""The zip, as a user gets it: built, validated by Blender's own tool, installed, and used."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("animate_installed_zip.py")


def load_build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_script", ROOT / "build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = load_build()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not build.venv_python(build.VENV / f"blender-{build.DEMO_BLENDER}").exists():
        pytest.skip("needs the Blender environments of `build.py setup`")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "DIST", tmp_path_factory.mktemp("dist"))
        return build.package()


def test_zip_holds_addon_backend_model_and_licences_only(archive: Path) -> None:
    names = zipfile.ZipFile(archive).namelist()
    for needed in (
        "blender_manifest.toml",
        "__init__.py",
        "LICENSE",
        "backend/__main__.py",
        "assets/models/unitalker-s/model.safetensors",
        "assets/models/unitalker-s/model.onnx",
        "assets/models/unitalker-s/MODEL_CARD.md",
        "assets/rigs/arkit52.json",
        "assets/presets/natural.json",
    ):
        assert needed in names
    assert not [name for name in names if name.startswith(("training", "tests")) or name.endswith((".pyc", ".pkl"))]


def test_zip_carries_the_wheels_of_its_platform_for_every_python(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        manifest = tomllib.loads(opened.read("blender_manifest.toml").decode())
        names = {f"./{name}" for name in opened.namelist() if name.endswith(".whl")}
    assert manifest["platforms"] == [build.wheels.this_platform()]
    assert set(manifest["wheels"]) == names
    for tag in ("cp311", "cp313"):
        assert any(f"onnxruntime-1.31.1-{tag}-" in name for name in names)
    assert not [name for name in names if "torch" in name or "numpy" in name]
    assert archive.stat().st_size < build.LARGEST_ZIP


def install_and_animate(version: str, archive: Path, folder: Path, backend: str | None) -> dict[str, Any]:
    """What the script reports of a Blender that knows only the zip; `backend` is a Python set for it."""
    home = folder / "home"
    home.mkdir()
    sound, head = ROOT / "assets" / "audio" / "demo_voice.ogg", ROOT / "assets" / "heads" / "makehuman_head.glb"
    hidden = ("PYTHONPATH", "UNITALKER_PYTHON")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    environment |= build.blender_environment(Path(backend or ""), str(home))
    # Nothing answers there: whoever asked the network would fail.
    environment |= {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    environment |= {"UNITALKER_CACHE": str(folder / "cache"), "XDG_DATA_HOME": str(folder / "data")}
    completed = subprocess.run(
        [build.venv_python(build.VENV / f"blender-{version}"), SCRIPT, archive, sound, head],
        cwd=folder,
        env=environment if backend else {key: value for key, value in environment.items() if key != "UNITALKER_PYTHON"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    lines = [line for line in completed.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, completed.stdout + completed.stderr
    report: dict[str, Any] = json.loads(lines[0].removeprefix("RESULT "))
    print(f"Blender {version}, {report['status']}: {report['seconds']}")
    assert report["result"] == ["FINISHED"]
    assert report["jaw_range"] > 0.1
    assert Path(report["package"]).is_relative_to(home)
    return report


@pytest.mark.parametrize("version", build.BLENDERS)
def test_installed_zip_animates_a_head_with_nothing_else_installed(archive: Path, version: str, tmp_path: Path) -> None:
    report = install_and_animate(version, archive, tmp_path, None)
    assert report["python"] == report["own_python"]
    assert report["engines"] == ["onnx"]
    assert "onnx on cpu" in report["status"]


def test_installed_zip_uses_torch_where_a_python_with_torch_is_set(archive: Path, tmp_path: Path) -> None:
    report = install_and_animate(build.DEMO_BLENDER, archive, tmp_path, sys.executable)
    assert report["python"] == sys.executable
    assert report["engines"][0] == "torch"

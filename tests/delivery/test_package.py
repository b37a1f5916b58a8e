"""The zip, as a user gets it: built, validated by Blender's own tool, installed, and used."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

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
        "assets/models/unitalker-s/MODEL_CARD.md",
        "assets/rigs/arkit52.json",
    ):
        assert needed in names
    assert not [name for name in names if name.startswith(("training", "tests")) or name.endswith((".pyc", ".pkl"))]


@pytest.mark.parametrize("version", build.BLENDERS)
def test_installed_zip_animates_without_the_checkout(archive: Path, version: str, tmp_path: Path) -> None:
    python = build.venv_python(build.VENV / f"blender-{version}")
    home = tmp_path / "home"
    home.mkdir()
    sound = ROOT / "assets" / "audio" / "demo_voice.ogg"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= build.blender_environment(Path(sys.executable), str(home))
    completed = subprocess.run(
        [python, SCRIPT, archive, sound],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    lines = [line for line in completed.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, completed.stdout + completed.stderr
    report = json.loads(lines[0].removeprefix("RESULT "))
    assert report["result"] == ["FINISHED"]
    assert report["jaw_range"] > 0.1
    assert Path(report["package"]).is_relative_to(home)

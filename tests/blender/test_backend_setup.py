"""Preferences: install, check, repair and remove the backend; import, delete and describe models."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest

from tests.client.tiny_wheels import TORCH_SOURCE, make_wheel
from unitalker_blender import backend_session, backend_setup, preference_values
from unitalker_blender.client import install_job
from unitalker_blender.client.environment import BACKEND_PACKAGES, BackendCommand
from unitalker_blender.client.installed_environment import environments_folder, write_record
from unitalker_blender.client.model_folders import models_folder
from unitalker_blender.preferences import UniTalkerPreferences

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "data"))
    monkeypatch.delenv("UNITALKER_PYTHON", raising=False)
    monkeypatch.setattr(backend_setup, "_check", None)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that the backend needs, as tiny stand-ins, chosen in the preferences."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in BACKEND_PACKAGES:
        make_wheel(folder, name, "99.0", TORCH_SOURCE if name == "torch" else "")
    monkeypatch.setattr(preference_values, "wheels_folder", lambda: str(folder))
    monkeypatch.setattr(install_job, "find_methods", lambda _uv: ["target"])
    return folder


class Layout:
    """Records what is drawn; everything may be set on it."""

    def __init__(self, texts: list[str] | None = None) -> None:
        self.texts: list[str] = [] if texts is None else texts

    def label(self, text: str = "", **_options: Any) -> None:
        self.texts.append(text)

    def prop(self, _data: Any, name: str, **_options: Any) -> None:
        self.texts.append(name)

    def operator(self, name: str, text: str = "", **_options: Any) -> SimpleNamespace:
        self.texts.append(f"{name} {text}".strip())
        return SimpleNamespace()

    def progress(self, text: str, **_options: Any) -> None:
        self.texts.append(text)

    def box(self, **_options: Any) -> Layout:
        return Layout(self.texts)

    row = column = box


def drawn() -> str:
    """The preferences' texts and buttons; the look for a graphics card has ended."""
    assert backend_setup.torch_build(wait=True)
    layout = Layout()
    context = SimpleNamespace(
        region=SimpleNamespace(width=4000), preferences=SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))
    )
    UniTalkerPreferences.draw(SimpleNamespace(layout=layout, wheels=""), context)
    return "\n".join(layout.texts)


def test_nothing_is_downloaded_without_leave_and_the_button_says_what_to_switch_on() -> None:
    assert not bpy.app.online_access
    with pytest.raises(RuntimeError, match="Allow Online Access"):
        bpy.ops.unitalker.install_backend()
    assert not environments_folder().exists()
    texts = drawn()
    assert "unitalker.install_backend Install Backend (" in texts
    assert "GB from pypi.org" in texts and "because" in texts
    assert str(environments_folder()) in texts
    assert "Allow Online Access" in texts


def test_installed_backend_is_found_checked_repaired_and_removed(wheels) -> None:
    assert bpy.ops.unitalker.install_backend() == {"FINISHED"}
    environment = backend_setup.own_environment()
    command = backend_session.command()
    assert (command.python, command.packages) == (environment.python, environment.packages)
    assert bpy.ops.unitalker.check_python() == {"FINISHED"}
    assert "is ready" in drawn() and "Repair" in drawn()
    (environment.packages[0] / "rich/data.txt").unlink()
    assert bpy.ops.unitalker.check_python() == {"FINISHED"}
    assert "rich: 1 of its files are missing" in drawn()
    assert bpy.ops.unitalker.install_backend(anew=True) == {"FINISHED"}
    assert bpy.ops.unitalker.check_python() == {"FINISHED"}
    assert "is ready" in drawn()
    assert bpy.ops.unitalker.remove_backend(folder=str(environment.folder)) == {"FINISHED"}
    assert not environment.folder.exists()
    assert "Install Backend (" in drawn()


def test_unfinished_installation_offers_to_go_on(wheels) -> None:
    next(wheels.glob("soxr-*")).unlink()
    with pytest.raises(RuntimeError, match="has no soxr"):
        bpy.ops.unitalker.install_backend()
    texts = drawn()
    assert "Resume" in texts and "not finished" in texts and "has no soxr" in texts
    make_wheel(wheels, "soxr", "1.0")
    assert bpy.ops.unitalker.install_backend() == {"FINISHED"}


def test_environment_whose_python_went_away_with_an_old_blender_is_told(wheels) -> None:
    assert bpy.ops.unitalker.install_backend() == {"FINISHED"}
    found = backend_setup.own_environment()
    record = found.record
    assert record
    write_record(found.folder, type(record)(**{**vars(record), "python": "/old/blender/python"}))
    assert "its Python is gone" in drawn()


def test_python_that_lacks_packages_is_named_with_them(monkeypatch) -> None:
    monkeypatch.setenv("UNITALKER_PYTHON", sys.executable)
    assert bpy.ops.unitalker.check_python() == {"FINISHED"}
    assert "torch: not installed" in drawn()


def test_python_of_the_zip_is_asked_for_what_came_in_the_zip(monkeypatch) -> None:
    command = BackendCommand(Path(sys.executable), REPOSITORY, (), ("numpy",))
    monkeypatch.setattr(backend_session, "command", lambda: command)
    assert bpy.ops.unitalker.check_python() == {"FINISHED"}
    assert "is ready" in drawn()


def test_program_that_is_no_python_is_told(monkeypatch) -> None:
    monkeypatch.setenv("UNITALKER_PYTHON", "/bin/echo")
    with pytest.raises(RuntimeError, match="does not answer like a Python"):
        bpy.ops.unitalker.check_python()


def bundle(folder: Path, name: str = "mine") -> Path:
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps({"name": name}), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "MODEL_CARD.md").write_text("# mine\n\nLicence: CC0", encoding="utf-8")
    return folder


def test_model_folder_is_imported_under_its_name_described_and_deleted(tmp_path) -> None:
    source = bundle(tmp_path / "downloaded (1)")
    assert bpy.ops.unitalker.import_model(filepath=str(source / "model.json")) == {"FINISHED"}
    own = models_folder() / "mine"
    assert (own / "model.safetensors").read_bytes() == b"weights"
    with pytest.raises(RuntimeError, match="There is a model mine already"):
        bpy.ops.unitalker.import_model(filepath=str(source))
    assert bpy.ops.unitalker.model_card(folder=str(own)) == {"FINISHED"}
    assert "Licence: CC0" in bpy.data.texts["mine card"].as_string()
    assert bpy.ops.unitalker.delete_model(folder=str(own)) == {"FINISHED"}
    assert list(models_folder().iterdir()) == []
    assert source.exists()


def test_models_of_the_extension_are_not_deleted() -> None:
    bundled = REPOSITORY / "assets/models/unitalker-s"
    with pytest.raises(RuntimeError, match="not in your own folder"):
        bpy.ops.unitalker.delete_model(folder=str(bundled))
    assert bundled.exists()


@pytest.mark.parametrize("text", ["", "[]", '{"name": "../evil"}', '{"name": 3}'])
def test_folder_that_is_no_model_is_refused(tmp_path, text) -> None:
    source = bundle(tmp_path / "broken")
    (source / "model.json").write_text(text)
    with pytest.raises(RuntimeError, match="model"):
        bpy.ops.unitalker.import_model(filepath=str(source))
    assert not models_folder().exists()


def test_checkpoint_that_is_not_one_is_told_in_the_backends_words(tmp_path, monkeypatch) -> None:
    root = tmp_path / "extension"
    (root / "backend").mkdir(parents=True)
    (root / "backend/__init__.py").touch()
    (root / "backend/__main__.py").write_text(
        "import sys\nprint('error: ' + sys.argv[3] + ' is not a checkpoint.', file=sys.stderr)\n"
        "print('       Download it again.', file=sys.stderr)\nsys.exit(1)\n"
    )
    monkeypatch.setattr(backend_session, "ADDON_FOLDER", root)
    monkeypatch.setenv("UNITALKER_PYTHON", sys.executable)
    with pytest.raises(RuntimeError, match=r"odd\.pt is not a checkpoint\. Download it again\."):
        bpy.ops.unitalker.import_model(filepath=str(tmp_path / "odd.pt"))


@pytest.mark.usefixtures("fake")
def test_models_are_listed_with_licence_and_heads() -> None:
    assert "They are listed when the backend runs." in drawn()
    assert bpy.ops.unitalker.check_backend() == {"FINISHED"}
    texts = drawn()
    assert "CC0-1.0" in texts and "fake" in texts

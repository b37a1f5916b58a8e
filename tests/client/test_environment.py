"""Which Python runs the backend, where the backend is, what its process inherits."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from unitalker_blender.client.environment import BACKEND_PACKAGES, BackendCommand, resolve_command
from unitalker_blender.client.errors import UniTalkerError

REPOSITORY = Path(__file__).resolve().parents[2]


def with_backend(folder: Path) -> Path:
    (folder / "backend").mkdir(parents=True)
    (folder / "backend/__main__.py").touch()
    return folder


def a_python(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_installed_extension_holds_the_backend_itself(tmp_path: Path) -> None:
    extension = with_backend(tmp_path / "extension")
    command = resolve_command(sys.executable, extension, {})
    assert command.root == extension


def test_checkout_has_the_backend_beside_the_addon_and_its_own_environment(tmp_path: Path) -> None:
    checkout = with_backend(tmp_path / "checkout")
    addon = checkout / "unitalker_blender"
    addon.mkdir()
    python = a_python(checkout / ".venv" / "bin" / "python")
    assert resolve_command("", addon, {}) == BackendCommand(python, checkout)


def test_preference_wins_over_variable_and_variable_over_checkout(tmp_path: Path) -> None:
    checkout = with_backend(tmp_path)
    own = a_python(tmp_path / ".venv/bin/python")
    variable, preferred = a_python(tmp_path / "variable"), a_python(tmp_path / "preferred")
    environ = {"UNITALKER_PYTHON": str(variable)}
    assert resolve_command(str(preferred), checkout, environ).python == preferred
    assert resolve_command("", checkout, environ).python == variable
    assert resolve_command("", checkout, {}).python == own


def test_link_of_a_virtual_environment_is_not_followed(tmp_path: Path) -> None:
    link = with_backend(tmp_path) / "venv-python"
    link.symlink_to(sys.executable)
    assert resolve_command(str(link), tmp_path, {}).python == link


@pytest.mark.parametrize(
    ("preference", "environ", "code", "names"),
    [
        ("", {}, "backend.no_python", "UNITALKER_PYTHON"),
        ("/no/such/python", {}, "backend.python_not_found", "preferences"),
        ("", {"UNITALKER_PYTHON": "/no/such/python"}, "backend.python_not_found", "UNITALKER_PYTHON"),
    ],
)
def test_missing_python_says_what_to_set(
    tmp_path: Path, preference: str, environ: dict[str, str], code: str, names: str
) -> None:
    with pytest.raises(UniTalkerError, match=names) as caught:
        resolve_command(preference, with_backend(tmp_path), environ)
    assert caught.value.code == code
    assert caught.value.hint


def test_missing_backend_is_named(tmp_path: Path) -> None:
    with pytest.raises(UniTalkerError, match="backend") as caught:
        resolve_command(sys.executable, tmp_path / "addon", {})
    assert caught.value.code == "backend.not_found"


def test_child_sees_nothing_of_blenders_python_but_all_else(tmp_path: Path) -> None:
    inherited = {
        "PYTHONHOME": "/blender/python",
        "PYTHONPATH": "/x",
        "PYTHONSTARTUP": "/y",
        "CUDA_VISIBLE_DEVICES": "1",
    }
    environment = BackendCommand(Path(sys.executable), tmp_path).environment(inherited)
    assert environment == {"CUDA_VISIBLE_DEVICES": "1", "PYTHONPATH": str(tmp_path), "PYTHONUTF8": "1"}


def test_packages_to_install_are_the_projects_dependencies() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert list(BACKEND_PACKAGES) == [requirement.split(">=")[0] for requirement in project["dependencies"]]

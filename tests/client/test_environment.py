"""Which Python runs the backend, where the backend is, what its process inherits."""

from __future__ import annotations

import dataclasses
import os
import sys
import tomllib
from pathlib import Path

import pytest

from unitalker_blender.client.environment import BACKEND_REQUIREMENTS, BackendCommand, resolve_command
from unitalker_blender.client.errors import UniTalkerError
from unitalker_blender.client.installed_environment import (
    RECORD_FILE,
    Record,
    environments_folder,
    list_environments,
    python_tag,
    remove_environment,
    requirements_tag,
    write_record,
)

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


def installed(environ: dict[str, str], name: str, **changes: object) -> Path:
    """An environment as *Install Backend* leaves it, without the packages."""
    folder = environments_folder(environ) / name
    a_python(folder / "bin/python")
    record = Record("ready", "venv", "cpu", requirements_tag(BACKEND_REQUIREMENTS), "bin/python")
    write_record(folder, dataclasses.replace(record, **changes))
    return folder


def test_installed_environment_comes_after_what_was_chosen_and_before_the_checkout(tmp_path: Path) -> None:
    checkout = with_backend(tmp_path)
    a_python(tmp_path / ".venv/bin/python")
    chosen = a_python(tmp_path / "chosen")
    environ = {"XDG_DATA_HOME": str(tmp_path / "data"), "LOCALAPPDATA": str(tmp_path / "data")}
    folder = installed(environ, f"any-{python_tag()}")
    assert resolve_command("", checkout, environ) == BackendCommand(folder / "bin/python", checkout)
    assert resolve_command("", checkout, environ | {"UNITALKER_PYTHON": str(chosen)}).python == chosen
    assert resolve_command(str(chosen), checkout, environ).python == chosen


def test_environment_of_this_python_version_goes_first_and_another_serves_too(tmp_path: Path) -> None:
    environ = {"XDG_DATA_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    other = installed(environ, "a-cp399")
    assert resolve_command("", with_backend(tmp_path), environ).python == other / "bin/python"
    own = installed(environ, f"b-{python_tag()}", python=sys.executable, packages=("packages",))
    command = resolve_command("", tmp_path, environ)
    assert command == BackendCommand(Path(sys.executable), tmp_path, (own / "packages",))
    assert command.environment({})["PYTHONPATH"] == f"{tmp_path}{os.pathsep}{own / 'packages'}"


@pytest.mark.parametrize(
    "changes",
    [{"state": "partial"}, {"requirements": "older"}, {"python": "bin/gone"}],
    ids=["unfinished", "of an older release", "interpreter gone"],
)
def test_environment_that_is_not_whole_is_not_used(tmp_path: Path, changes: dict[str, str]) -> None:
    environ = {"XDG_DATA_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    installed(environ, f"x-{python_tag()}", **changes)
    with pytest.raises(UniTalkerError, match="Install Backend"):
        resolve_command("", with_backend(tmp_path), environ)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"python": 1}', '{"packages": 3}'])
def test_record_that_cannot_be_read_counts_as_none(tmp_path: Path, text: str) -> None:
    environ = {"XDG_DATA_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    folder = installed(environ, f"x-{python_tag()}")
    (folder / RECORD_FILE).write_text(text)
    assert [found.record for found in list_environments(environ)] == [None]
    with pytest.raises(UniTalkerError, match="Install Backend"):
        resolve_command("", with_backend(tmp_path), environ)


def test_only_an_environment_is_ever_removed(tmp_path: Path) -> None:
    environ = {"XDG_DATA_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    folder = installed(environ, "x-cp311")
    with pytest.raises(ValueError, match="not one of the environments"):
        remove_environment(tmp_path, environ)
    remove_environment(folder, environ)
    assert list(environments_folder(environ).iterdir()) == []


def test_packages_to_install_are_the_projects_dependencies() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert list(BACKEND_REQUIREMENTS) == project["dependencies"]

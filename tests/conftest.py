"""Options and fixtures that every test folder shares; imports nothing that only one environment has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

# The networks here are tiny: more threads than one only wait for each other, many times longer on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Blender's Python has bpy and no torch, the backend's has torch and no bpy.
collect_ignore = [] if find_spec("bpy") else ["blender"]

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run tests that take minutes")
    parser.addoption("--gui", action="store_true", help="also run tests that need a window system")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for marker in ("slow", "gui"):
        if not config.getoption(f"--{marker}"):
            skip = pytest.mark.skip(reason=f"needs --{marker}")
            for item in items:
                if marker in item.keywords:
                    item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def no_files_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Models and takes that somebody keeps on this machine take no part, also in child processes."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("XDG_DATA_HOME", "LOCALAPPDATA"):
            patch.setenv(variable, str(tmp_path_factory.mktemp("data_home")))
        patch.delenv("UNITALKER_MODELS", raising=False)
        patch.setenv("UNITALKER_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real voices, heads and recordings beside the checkout, which a user does not have."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared")
    return SHARED

"""Imports go one way (docs/architecture.md): read off the source of every file, whether it runs here or not."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

INSIDE_BLENDER = {"addon_utils", "bpy", "bpy_extras", "mathutils", "bl_ext", "blf", "gpu", "idprop"}


def sources(folder: str) -> list[Path]:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files, f"no source in {folder}"
    return files


def imported_packages(source: str) -> Iterator[str]:
    """Top-level packages imported anywhere in a file, also inside functions; relative imports stay inside."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]


def violations(folder: str, forbidden: set[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(folder)
        for name in imported_packages(path.read_text(encoding="utf-8"))
        if name in forbidden
    ]


def test_imports_inside_functions_and_from_submodules_are_seen() -> None:
    source = "def f():\n    import torch.nn as nn\n    from bpy.types import Object\n    from . import training\n"
    assert set(imported_packages(source)) == {"torch", "bpy"}


def test_the_backend_imports_neither_training_nor_the_add_on_nor_blender() -> None:
    assert violations("backend", {"training", "unitalker_blender", "tests"} | INSIDE_BLENDER) == []


def test_training_imports_neither_the_add_on_nor_blender() -> None:
    assert violations("training", {"unitalker_blender", "tests"} | INSIDE_BLENDER) == []


def test_the_add_on_imports_only_blender_numpy_and_the_standard_library() -> None:
    allowed = INSIDE_BLENDER | {"numpy", "unitalker_blender"} | sys.stdlib_module_names
    foreign = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("unitalker_blender")
        for name in imported_packages(path.read_text(encoding="utf-8"))
        if name not in allowed
    ]
    assert foreign == []


@pytest.mark.parametrize("folder", ["tests/backend", "tests/training", "tests/parity"])
def test_blender_is_imported_by_no_test_but_its_own(folder: str) -> None:
    assert violations(folder, INSIDE_BLENDER) == []

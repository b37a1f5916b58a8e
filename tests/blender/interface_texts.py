"""Every English text that the add-on shows: from its registered classes, and from the source of what it draws."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from unitalker_blender.registration import CLASSES

ADDON = Path(__file__).resolve().parents[2] / "unitalker_blender"

_WORD = re.compile(r"[A-Za-z]{3}")
_IDENTIFIER = re.compile(r"[a-z0-9_.:/*-]+|[A-Z0-9_]+|UNITALKER_\w+")


def class_texts() -> set[str]:
    """Labels and tooltips of every class, of its properties and of their choices."""
    texts: set[str] = set()
    for cls in CLASSES:
        described = cls.bl_rna
        texts.update((getattr(cls, "bl_label", ""), getattr(cls, "bl_description", "")))
        own = [base for base in cls.__mro__ if base.__module__.startswith(ADDON.name)]
        for name in {name for base in own for name in inspect.get_annotations(base)}:
            declared = None if name.startswith("bl_") else described.properties.get(name)
            # Without a label it is not meant to be seen.
            if declared is None or declared.is_hidden or declared.name == name:
                continue
            texts.update((declared.name, declared.description))
            if declared.type == "ENUM":
                texts.update(text for item in declared.enum_items_static for text in (item.name, item.description))
    return {text for text in texts if _WORD.search(text)}


def drawn_texts() -> set[str]:
    """Words in the source of panels and preferences; values in them as ``{}``."""
    files = [*(ADDON / "panels").glob("*.py"), ADDON / "preferences.py"]
    return {text for path in files for text in source_texts(path)}


def source_texts(path: Path) -> Iterator[str]:
    """The sentences and words in a file's strings, docstrings and identifiers left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {id(node) for node in _docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped.update(id(part) for part in ast.walk(node) if part is not node)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        text = template(node)
        if text and _WORD.search(text) and not _IDENTIFIER.fullmatch(text):
            yield text


def all_source_texts() -> set[str]:
    """Every string of add-on and backend, as templates: a translation of anything else is stale."""
    files = [*ADDON.rglob("*.py"), *(ADDON.parent / "backend").rglob("*.py")]
    return {text for path in files for text in source_texts(path)}


def template(node: ast.AST) -> str:
    """A string of the source with ``{}`` for every value; empty for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        return "".join(str(part) for part in parts)
    return ""


def _docstrings(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            # Also the string below an assignment, which documents it.
            yield from (item.value for item in body if isinstance(item, ast.Expr))

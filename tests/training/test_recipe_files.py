"""The recipes that ship: right, explained line by line, listed, and some of them trained to the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from training.config import RECIPES, load_recipe

FILES = sorted(RECIPES.glob("*.yaml"))


def fields(node: yaml.Node, place: tuple[str, ...] = ()) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line number and place of every field; items of lists, and heads, whose names are the user's, are all alike."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from fields(item, (*place, "[]"))
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            named = place in (("heads",), ("data",))
            below = (*place, "[]" if named else key.value)
            yield key.start_mark.line, below
            yield from fields(value, below)


def is_explained(lines: list[str], number: int) -> bool:
    """By a comment at the end of the line, or by lines of comment directly above."""
    return bool(re.search(r"\s# \S", lines[number])) or lines[number - 1].lstrip().startswith("# ")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_field_is_explained(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines, explained = text.splitlines(), set()
    assert lines[0].startswith("# ")
    for number, place in fields(yaml.compose(text)):
        if is_explained(lines, number):
            explained.add(place)
        # What the first data set or head explains, the others need not.
        assert place in explained, f"line {number + 1}: {lines[number]}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_recipe_is_valid_credits_its_data_and_is_listed(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.encoder.credit
    assert all(data.credit for data in recipe.data)
    assert f"`{path.stem}`" in (RECIPES / "README.md").read_text(encoding="utf-8")

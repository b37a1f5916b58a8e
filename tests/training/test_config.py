"""Recipes: those that ship are right, and mistakes are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.errors import UniTalkerError
from training.config import RECIPES, Recipe, load_recipe


def test_the_fields_of_every_section_are_documented() -> None:
    sections = {Recipe} | {type(section) for _, section in load_recipe(RECIPES / "unitalker-s.yaml")}
    for section in (s for s in sections if s.__module__.startswith("training.config")):
        for field in section.model_fields:
            documented = "\n".join(base.__doc__ or "" for base in section.__mro__)
            assert f"{field}:" in documented, f"{section.__name__}.{field} is not documented"


def test_an_unknown_field_is_named(tmp_path: Path) -> None:
    text = (RECIPES / "unitalker-s.yaml").read_text(encoding="utf-8")
    path = tmp_path / "recipe.yaml"
    path.write_text(text.replace("pivot_probability:", "pivot_probabilty:"), encoding="utf-8")
    with pytest.raises(UniTalkerError, match="pivot_probabilty"):
        load_recipe(path)


@pytest.mark.parametrize("text", ["heads: [", "just a sentence"])
def test_what_is_no_recipe_is_refused_with_its_path(text: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(UniTalkerError, match=r"broken\.yaml"):
        load_recipe(path)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(UniTalkerError, match=r"nowhere\.yaml"):
        load_recipe(tmp_path / "nowhere.yaml")

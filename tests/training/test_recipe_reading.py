"""Recipes that build on others, and mistakes found while a recipe is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from backend.errors import UniTalkerError
from training.config import Joining, Recipe, load_recipe, parse_recipe
from training.datasets.corpus import Corpus


@pytest.fixture
def plain(tiny_recipe: Recipe) -> dict[str, Any]:
    return tiny_recipe.model_dump(mode="json")


def write(folder: Path, name: str, /, **content: Any) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def changed(plain: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    """A copy in which the field at ``a.b.c`` has another value."""
    *sections, field = place.split(".")
    section = plain = yaml.safe_load(yaml.safe_dump(plain))
    for name in sections:
        section = section[name]
    section[field] = value
    return plain


def test_a_recipe_says_only_what_differs_from_another(plain: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path, "first", **plain)
    write(tmp_path, "second", extends="first", name="second", joining=None, warm_up={"optimiser": {"kind": "adam"}})
    third = write(tmp_path, "third", extends="second.yaml", joining={"gap_probability": 0}, limits=["None."])
    first, second, last = (load_recipe(tmp_path / f"{name}.yaml") for name in ("first", "second", "third"))
    assert second.joining is None
    assert second.warm_up.optimiser == first.warm_up.optimiser.model_copy(update={"kind": "adam"})
    assert second.model_copy(update={"joining": first.joining, "warm_up": first.warm_up, "name": "tiny"}) == first
    assert (last.name, last.limits, last.joining) == ("second", ("None.",), Joining(gap_probability=0))
    assert load_recipe(third) == parse_recipe(last.model_dump(mode="json"), "stored with a run")


def test_ones_own_version_of_a_recipe_that_ships_may_keep_its_name(tmp_path: Path) -> None:
    path = write(tmp_path, "unitalker-s", extends="unitalker-s", seed=7)
    assert load_recipe(path).seed == 7
    assert load_recipe(path).name == "unitalker-s"


def test_recipes_that_extend_each_other_are_named(tmp_path: Path) -> None:
    write(tmp_path, "hen", extends="egg")
    path = write(tmp_path, "egg", extends="hen")
    with pytest.raises(UniTalkerError, match="egg extends hen extends egg") as caught:
        load_recipe(path)
    assert caught.value.code == "recipe.cycle"


def test_a_missing_base_is_named_with_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(UniTalkerError, match=r"egg\.yaml extends hen") as caught:
        load_recipe(write(tmp_path, "egg", extends="hen"))
    assert "unitalker-s" in caught.value.hint


def test_single_data_sets_of_a_recipe_are_trained_by_themselves(
    plain: dict[str, Any], tiny_data: Path, tmp_path: Path
) -> None:
    path = write(tmp_path, "both", **plain)
    recipe = load_recipe(path, ["M"])
    assert recipe.name == "tiny-M"
    assert list(Corpus(recipe, tiny_data).annotations) == ["tiny_vertices"]
    assert parse_recipe(recipe.model_dump(mode="json"), "stored with a run") == recipe
    with pytest.raises(UniTalkerError, match="only names X; the data sets are W, M"):
        load_recipe(path, ["X"])


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("warm_up.optimiser.learning_rat", r"warm_up\.optimiser\.learning_rat .*did you mean learning_rate\?"),
        ("joinin", r"did you mean joining\?"),
        ("heads.tiny_weight.component", r"heads\.tiny_weight\.component .*did you mean components\?"),
        ("learning_rate", r"it is one of warm_up\.optimiser and joint\.optimiser"),
        ("decoder.colour", "there are kind, width, identity_width"),
    ],
)
def test_an_unknown_field_is_answered_with_what_was_meant(plain: dict[str, Any], place: str, told: str) -> None:
    with pytest.raises(UniTalkerError, match=told):
        parse_recipe(changed(plain, place, 1), "recipe")


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("warm_up.epochs", "many", r"warm_up\.epochs is 'many'.*integer"),
        ("warm_up.optimiser.kind", "sgd", r"warm_up\.optimiser\.kind is 'sgd'.*'adam' or 'adamw'"),
        ("pivot_probability", 1.5, r"pivot_probability is 1\.5"),
        ("joining.seconds", [20, 10], r"joining\.seconds: the range \[20\.0, 10\.0\] ends before it begins"),
        ("joining.seconds", [10], r"joining\.seconds"),
        ("heads", {}, "at least one head is needed"),
        ("data", [{"name": "W"}], r"data\.0\.folder is missing"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(plain: dict[str, Any], place: str, value: Any, told: str) -> None:
    with pytest.raises(UniTalkerError, match=told):
        parse_recipe(changed(plain, place, value), "recipe")


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("joint.first_layer", 2, "the encoder has the layers 0 to 1"),
        ("joint.crop_seconds", 45, r"joint\.crop_seconds reaches 45 s, but Whisper takes at most 30 s"),
        ("joining.seconds", [10, 31], r"joining\.seconds reaches 31 s"),
        ("decoder", {"kind": "transformer", "width": 18}, "must be a multiple of 4"),
        ("warm_up.epochs", 0, "nothing would be trained"),
        ("data", [{"name": "W", "folder": "weights", "clean_passes": 0}], "W is used in no pass"),
        ("data", [{"name": "W", "folder": "weights"}, {"name": "W", "folder": "mesh"}], "have the same name, W"),
        ("data", [{"name": "W", "folder": "weights", "identities": ["ann", "pivot"]}], "the name of the pivot"),
    ],
)
def test_what_cannot_be_trained_is_found_when_the_recipe_is_read(
    plain: dict[str, Any], place: str, value: Any, told: str
) -> None:
    content = changed(plain, place, value)
    if place == "warm_up.epochs":
        content = changed(content, "joint.epochs", 0)
    with pytest.raises(UniTalkerError, match=told) as caught:
        parse_recipe(content, "recipe")
    assert str(caught.value).count("recipe: ") == 1


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("heads.tiny_weight.components", 3, "only vertices are predicted by their PCA"),
        ("heads.tiny_vertices.components", 40, "40 PCA components of 36 coordinates"),
    ],
)
def test_components_that_a_head_cannot_have_are_found_before_training(
    plain: dict[str, Any], tiny_data: Path, place: str, value: Any, told: str
) -> None:
    with pytest.raises(UniTalkerError, match=told):
        Corpus(parse_recipe(changed(plain, place, value), "recipe"), tiny_data)

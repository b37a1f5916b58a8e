"""Recipes that build on others, and mistakes found while a recipe is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from backend.errors import UniTalkerError
from training.config import Joining, Recipe, find_recipe, load_recipe, parse_changes, parse_recipe
from training.datasets.corpus import Corpus
from training.evaluation import evaluate
from training.places import Places
from training.runs import begin
from training.trainer import Trainer

CPU = torch.device("cpu")


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


def test_fields_are_changed_from_the_command_line(plain: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path, "plain", **plain)
    changes = parse_changes(["decoder.kind=transformer", "warm_up.optimiser.learning_rate=1e-3", "joining=null"])
    recipe = load_recipe(path, changes=changes)
    assert (recipe.decoder.kind, recipe.warm_up.optimiser.learning_rate, recipe.joining) == ("transformer", 1e-3, None)
    assert recipe.decoder.width == plain["decoder"]["width"]
    for setting, told in (("decoder.kind", "sets nothing"), ("heads={", "is not valid YAML")):
        with pytest.raises(UniTalkerError, match=told):
            parse_changes([setting])


def test_fewer_clips_are_chosen_evenly(plain: dict[str, Any], tiny_data: Path) -> None:
    plain["data"][0]["clips"] = 3
    corpus = Corpus(parse_recipe(plain, "recipe"), tiny_data)
    assert [clip.name for clip in corpus.clips("W", "train")] == ["w0", "w2", "w5"]
    assert len(list(corpus.clips("W", "val"))) == 2


def test_held_out_data_are_evaluated_under_the_pivot_alone(
    plain: dict[str, Any], tiny_data: Path, tmp_path: Path
) -> None:
    other = {"name": "V", "folder": "weights", "identities": ["cat", "dan"]}
    plain["warm_up"]["epochs"], plain["joint"]["epochs"] = 1, 0
    recipe = parse_recipe(plain | {"data": [*plain["data"], other], "held_out": ["V"]}, "recipe")
    places = Places(tiny_data, tmp_path / "cache")
    material = begin(recipe, tmp_path / "run", places, CPU, lambda _name: lambda _done, _what: None)
    assert material.spec.identities == ("ann", "bob", "pivot")
    assert {entry.data_set for entry in (*material.training.entries, *material.validation.entries)} == {"W", "M"}
    Trainer(material, tmp_path / "run", CPU).fit()
    rows = evaluate(tmp_path / "run", None, "val", None, None, False, CPU).rows
    assert {row.system for row in rows if row.data == "V val"} == {"pivot", "measured motion"}
    assert {row.system for row in rows if row.data == "W val"} == {"own identity", "pivot", "measured motion"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"held_out": ["X"]}, "held_out names X"),
        ({"held_out": ["W", "M"]}, "nothing to train on"),
        ({"held_out": ["W"], "pivot_probability": 0}, "does not exist with pivot_probability 0"),
    ],
)
def test_impossible_held_out_data_are_refused(plain: dict[str, Any], changes: dict[str, Any], told: str) -> None:
    with pytest.raises(UniTalkerError, match=told):
        parse_recipe(plain | changes, "recipe")


def test_the_only_data_set_of_a_head_cannot_be_held_out(plain: dict[str, Any], tiny_data: Path) -> None:
    with pytest.raises(UniTalkerError, match="no other data set trains the head tiny_weight"):
        Corpus(parse_recipe(plain | {"held_out": ["W"]}, "recipe"), tiny_data)


def test_a_recipe_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(UniTalkerError, match=r"mimi\.yaml cannot be read.*mini.*unitalker-s"):
        load_recipe(find_recipe("mimi"))

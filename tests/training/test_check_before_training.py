"""What is wrong with data is told before anything is encoded, by the training itself and by `train check`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

from backend.errors import UniTalkerError
from training.cli import app
from training.config import Recipe, parse_recipe
from training.pca import PcaBasis
from training.places import Places
from training.planning import plan
from training.runs import begin
from training.sampling import epoch_order

from .watchers import silent

CPU = torch.device("cpu")
runner = CliRunner()


@pytest.fixture
def data(tiny_data: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_data, tmp_path / "data")
    return tmp_path / "data"


def change_list(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def with_nan(data: Path) -> None:
    motion = np.load(data / "mesh/clips/m1.npy")
    motion[30] = np.nan
    np.save(data / "mesh/clips/m1.npy", motion)


def without_end(data: Path) -> None:
    motion = np.load(data / "weights/clips/w1.npy")
    np.save(data / "weights/clips/w1.npy", motion[:30])


def without_identity(data: Path) -> None:
    change_list(data / "weights/val.json", lambda content: content["info"].update(id_list=["ann", "eve"]))


def with_foreign_pca(data: Path) -> None:
    rng = np.random.default_rng(0)
    components = np.linalg.qr(rng.normal(size=(33, 4)))[0].T.astype(np.float32)
    one = np.ones(4, np.float32)
    PcaBasis(components, np.zeros(33, np.float32), one, one, one, one).save(data / "mesh/pca.npz")


BROKEN = [
    (with_nan, r"m1\.npy contains NaN or infinite numbers in 1 of 72 frames, the first at 1\.00 s"),
    (without_end, r"w1\.npy has 2\.40 s of sound and 1\.20 s of motion"),
    (without_identity, r"val\.json: .*'eve', whom train\.json does not list"),
    (with_foreign_pca, r"pca\.npz.*33.*36"),
]


@pytest.mark.parametrize(("spoil", "told"), BROKEN, ids=[spoil.__name__ for spoil, _ in BROKEN])
def test_a_training_says_what_is_wrong_before_it_encodes(
    spoil: Callable[[Path], None], told: str, tiny_recipe: Recipe, data: Path, tmp_path: Path
) -> None:
    spoil(data)
    # The PCA is fitted to all training clips of its head, so it would find NaN in them by itself.
    recipe = tiny_recipe.model_copy(update={"joining": None})
    with pytest.raises(UniTalkerError, match=told):
        begin(recipe, tmp_path / "run", Places(data, tmp_path / "cache"), CPU, silent)
    assert not list(tmp_path.rglob("*.features.npy"))
    with pytest.raises(UniTalkerError, match=told):
        raise next(iter(problems_of(recipe, data)))


def problems_of(recipe: Recipe, data: Path) -> list[UniTalkerError]:
    try:
        return list(plan(recipe, Places(data, Path()), silent).problems)
    except UniTalkerError as error:
        return [error]


def test_check_names_every_clip_that_cannot_be_used(tiny_recipe: Recipe, data: Path, tmp_path: Path) -> None:
    with_nan(data)
    without_end(data)
    result = check(tiny_recipe, data, tmp_path)
    assert result.exit_code == 1
    # w1 and m1 are validated on too.
    assert result.output.count("w1.npy has 2.40 s of sound") == 2
    assert result.output.count("m1.npy contains NaN") == 2


def check(recipe: Recipe, data: Path, folder: Path) -> Any:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    return runner.invoke(app, ["check", str(path), "--data-root", str(data)], catch_exceptions=False)


def test_check_says_what_would_be_trained_and_leaves_nothing(
    tiny_recipe: Recipe, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    result = check(tiny_recipe, data, tmp_path)
    assert result.exit_code == 0, result.output
    assert {path.name for path in set(tmp_path.rglob("*")) - before} == {"recipe.yaml"}
    words = " ".join(result.output.split())
    for fact in (
        "W train 8 0.3 2",
        "tiny_vertices 36 30 4 components, fitted",
        "decoder warm-up 6 epochs",
        "All is there",
    ):
        assert fact in words


@pytest.mark.parametrize("kind", ["plain", "wide batches", "balanced"])
def test_the_plan_counts_what_the_training_does(kind: str, tiny_recipe: Recipe, data: Path, tmp_path: Path) -> None:
    content = tiny_recipe.model_dump(mode="json") | {"joining": None}
    content["warm_up"] |= {"epochs": 1} | {"plain": {}, "wide batches": {"batch": 3}, "balanced": {"balance": 1}}[kind]
    recipe = parse_recipe(content, "recipe")
    planned = plan(recipe, Places(data, tmp_path), silent)
    material = begin(recipe, tmp_path / "run", Places(data, tmp_path / "cache"), CPU, silent)
    assert planned.is_exact
    assert planned.sequences == len(material.training.entries)
    assert planned.parameters == sum(parameter.numel() for parameter in material.model.parameters())
    stored = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*.npy"))
    assert planned.stored == pytest.approx(stored, rel=0.2)
    stages = (recipe.warm_up, recipe.joint)
    orders = [
        epoch_order(material.training.entries, stage.batch, stage.crop_seconds, stage.balance, np.random.default_rng(0))
        for stage in stages
    ]
    assert [stage.steps for stage in planned.stages] == [len(order) for order in orders]


def test_joined_sequences_are_estimated(tiny_recipe: Recipe, data: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe.model_copy(
        update={"data": tuple(one.model_copy(update={"clean_passes": 20}) for one in tiny_recipe.data)}
    )
    planned = plan(recipe, Places(data, tmp_path), silent)
    entries = begin(recipe, tmp_path / "run", Places(data, tmp_path / "cache"), CPU, silent).training.entries
    assert not planned.is_exact
    # Four clips of a person are few to estimate from.
    assert planned.sequences == pytest.approx(len(entries), rel=0.4)

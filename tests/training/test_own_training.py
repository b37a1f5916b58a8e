"""From takes of one's own to a model that is listed: finetune, transfer and oneshot as a person types them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

from backend.annotation import Annotation, FaceMotion
from backend.bundle import load_bundle
from backend.bundle_manifest import CARD_FILE, ONNX_FILE
from backend.catalogue import list_models
from backend.errors import UniTalkerError
from training.cli import app
from training.config import Recipe, load_recipe
from training.datasets.live_link_face import ARKIT_NAMES
from training.export import export_run
from training.places import Places
from training.results import read_results
from training.runs import begin
from training.store import Progress
from training.trainer import Trainer

from .recordings import write_phone_take

CPU = torch.device("cpu")
RATE = 16000


def silent(_name: str) -> Progress:
    return lambda _done, _what: None


@pytest.fixture(scope="module")
def start(tiny_recipe: Recipe, tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run to start from, barely trained."""
    folder = tmp_path_factory.mktemp("start")
    recipe = tiny_recipe.model_copy(
        update={
            "data": tuple(data.model_copy(update={"credit": "two tiny people"}) for data in tiny_recipe.data),
            "warm_up": tiny_recipe.warm_up.model_copy(update={"epochs": 1}),
            "joint": tiny_recipe.joint.model_copy(update={"epochs": 0}),
        }
    )
    Trainer(begin(recipe, folder / "run", Places(tiny_data, folder / "cache"), CPU, silent), folder / "run", CPU).fit()
    return folder / "run"


def write_takes(folder: Path, count: int, seconds: float = 12, names: tuple[str, ...] = ARKIT_NAMES) -> Path:
    """Takes of the phone in which the jaw follows the loudness, each another."""
    for number in range(count):
        rng = np.random.default_rng(number)
        times = np.arange(round(seconds * 60)) / 60
        opening = np.abs(np.sin(np.cumsum(rng.uniform(0.05, 0.25, len(times))))) * (times > 1) * (times < seconds - 1)
        values = np.zeros((len(times), len(names)), np.float32)
        values[:, names.index("jawOpen")] = 0.8 * opening
        values[:, names.index("mouthPucker")] = 0.3 * (1 - opening) * (opening > 0)
        annotation = Annotation(type_name="t", kind="blendshapes", dim=len(names), fps=60, unit="weight", names=names)
        noise = rng.standard_normal(round(seconds * RATE))
        sound = 0.3 * np.interp(np.arange(len(noise)) / RATE, times, opening) * noise + 1e-4 * noise
        write_phone_take(
            folder / f"20260101_MySlate_{number}", f"S_{number}_iPhone", FaceMotion(values, 60, annotation), sound, RATE
        )
    return folder


def unitalker_train(*arguments: object) -> str:
    """Runs a command; gives what it prints."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    write_takes(folder / "takes/me", 10)
    unitalker_train("data", "convert", folder / "takes/me", folder / "data/me")
    return folder / "data/me"


def jaw_on_held_out_clips(run: Path, system: str) -> float:
    results = read_results(run)
    assert results is not None
    (numbers,) = (row.numbers for row in results.rows if row.system == system)
    return numbers["r jawOpen"]


def test_a_phone_teaches_an_existing_head_by_its_channels_names(start: Path, converted: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    told = unitalker_train(
        "finetune", converted, "--model", start, "--out", run, "--cache", tmp_path / "cache", "--name", "mine"
    )
    assert "7 channels are matched by name" in told and "tongueOut" in told
    assert f"unitalker train evaluate {run}" in told and f"unitalker train export {run}" in told
    unitalker_train("evaluate", run)
    assert jaw_on_held_out_clips(run, "own identity") > jaw_on_held_out_clips(run, "start model") + 0.1
    told = unitalker_train("export", run)
    (listed,) = (model for model in list_models()[0] if model.name == "mine")
    assert listed.path in told
    assert listed.default_identity == "me" and listed.default_head == "tiny_weight"
    assert (Path(listed.path) / ONNX_FILE).is_file()
    card = (Path(listed.path) / CARD_FILE).read_text(encoding="utf-8")
    assert "own identity" in card and "CC0-1.0" in card and "Begun from" in card and "two tiny people" in card


def test_the_recipe_of_a_run_can_be_changed_and_run_again(start: Path, converted: Path, tmp_path: Path) -> None:
    places = ("--cache", tmp_path / "cache")
    unitalker_train(
        "finetune", converted, "--model", start, "--out", tmp_path / "first", "--epochs", 1, *places, "--name", "mine"
    )
    path = tmp_path / "changed.yaml"
    content = yaml.safe_load((tmp_path / "first/recipe.yaml").read_text(encoding="utf-8"))
    content["warm_up"]["epochs"] = 2
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    unitalker_train("run", path, "--data-root", converted.parent, "--out", tmp_path / "second", *places)
    assert load_recipe(tmp_path / "second/recipe.yaml").warm_up.epochs == 2


@pytest.mark.parametrize("decoder", ["keep", "fresh"])
def test_shapes_that_no_model_knows_get_a_head_of_their_own(
    decoder: str, start: Path, converted: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    told = unitalker_train(
        *("transfer", converted, "--model", start, "--out", run, "--cache", tmp_path / "cache"),
        *("--decoder", decoder, "--name", "mine", "--epochs", 20),
    )
    assert "a new head arkit_blendshape_weight" in told
    unitalker_train("evaluate", run)
    assert jaw_on_held_out_clips(run, "own identity") > 0.3
    exported = export_run(run, tmp_path / "mine")
    (head,) = load_bundle(exported.folder).manifest.spec.heads
    assert head.annotation.names == ARKIT_NAMES and head.annotation.fps == 30


def test_one_take_is_enough_for_oneshot(start: Path, tmp_path: Path) -> None:
    takes = write_takes(tmp_path / "takes/eve", 2, seconds=6)
    places = ("--model", start, "--cache", tmp_path / "cache")
    run = tmp_path / "run"
    with pytest.raises(UniTalkerError, match="2 takes: S_0_iPhone, S_1_iPhone"):
        unitalker_train("oneshot", takes, "--out", run, *places)
    told = unitalker_train("oneshot", takes / "20260101_MySlate_1/S_1_iPhone.csv", "--out", run, *places)
    assert "0.1 minutes of eve" in told
    exported = export_run(run, tmp_path / "mine")
    assert load_bundle(exported.folder).manifest.default_identity == "eve"
    with pytest.raises(UniTalkerError, match="holds a run already"):
        unitalker_train("oneshot", takes / "20260101_MySlate_1", "--out", run, *places)


@pytest.mark.parametrize("command", ["finetune", "transfer"])
def test_recordings_that_are_not_converted_are_told_how(command: str, start: Path, tmp_path: Path) -> None:
    takes = write_takes(tmp_path / "me", 1, seconds=2)
    with pytest.raises(UniTalkerError) as caught:
        unitalker_train(command, takes, "--model", start)
    assert f"unitalker train data convert {takes}" in caught.value.hint


def test_data_for_which_there_is_no_head_are_sent_to_transfer(tiny_data: Path, start: Path, tmp_path: Path) -> None:
    unitalker_train(
        "transfer", tiny_data / "mesh", "--out", tmp_path / "run", "--cache", tmp_path / "cache", "--epochs", 1
    )
    with pytest.raises(UniTalkerError, match="No head of unitalker-s-mesh") as caught:
        unitalker_train("finetune", tiny_data / "weights", "--model", tmp_path / "run")
    assert "train transfer" in caught.value.hint
    with pytest.raises(UniTalkerError, match="a head tiny_vertices already") as caught:
        unitalker_train("transfer", tiny_data / "mesh", "--model", start)
    assert "train finetune" in caught.value.hint


def test_a_name_that_a_bundled_model_has_is_not_exported_where_it_would_be_hidden(
    start: Path, converted: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    unitalker_train(
        *("finetune", converted, "--model", start, "--out", run, "--cache", tmp_path / "cache"),
        *("--epochs", 1, "--name", "unitalker-s"),
    )
    with pytest.raises(UniTalkerError, match="There is a model unitalker-s"):
        export_run(run)

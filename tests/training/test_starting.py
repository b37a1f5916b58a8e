"""Trainings that begin from an existing model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from backend.errors import UniTalkerError
from backend.model.unitalker import UniTalker
from tests.training.conftest import ARKIT, PEOPLE, recipe_text, speaking, write_data_set
from training.checkpoint import load_checkpoint
from training.config import Recipe, parse_recipe
from training.evaluation import evaluate
from training.export import export_run, open_run
from training.places import Places
from training.runs import begin, take_up
from training.store import Progress
from training.trainer import CHECKPOINT, Trainer

CPU = torch.device("cpu")


def silent(_name: str) -> Progress:
    return lambda _done, _what: None


def train(recipe: Recipe, run: Path, places: Places) -> UniTalker:
    material = begin(recipe, run, places, CPU, silent)
    Trainer(material, run, CPU).fit()
    return open_run(run, CPU)[0].model


def say(model: UniTalker, head: str, person: str) -> np.ndarray:
    """What a model says to a second of noise."""
    sound = 0.1 * torch.randn(1, 16000, generator=torch.Generator().manual_seed(0))
    row = torch.tensor([model.spec.identities.index(person)])
    with torch.inference_mode():
        return model(sound, head, 25, row).values.numpy()


@pytest.fixture(scope="module")
def settings(tiny_encoder: Path) -> dict[str, Any]:
    """Of the start model, without joint training."""
    content: dict[str, Any] = yaml.safe_load(recipe_text(tiny_encoder))
    content["warm_up"] |= {"epochs": 2}
    content["joint"]["epochs"] = 0
    return content


@pytest.fixture(scope="module")
def places(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places(tiny_data, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def source(settings: dict[str, Any], places: Places, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that others start from."""
    run = tmp_path_factory.mktemp("runs") / "source"
    train(parse_recipe(settings, "source"), run, places)
    return run


def started(settings: dict[str, Any], model: Path, **changes: Any) -> Recipe:
    """The same recipe with a start, without an encoder of its own and without steps, unless `changes` say otherwise."""
    own = {key: value for key, value in settings.items() if key not in ("encoder", "decoder")}
    content = own | {"start": {"model": str(model)}, "warm_up": settings["warm_up"] | {"epochs": 0}} | changes
    return parse_recipe(content, "started")


def new_data(root: Path, people: list[str], **annotation: Any) -> Path:
    """A data root with one set ``own`` of named people."""
    described = {"annot_type": "tiny_weight", "fps": 25, "kind": "blendshapes", "dim": 7, "names": ARKIT} | annotation
    write_data_set(root / "own", described, {f"o{n}": (n % 2, speaking(60, described["dim"], n)) for n in range(2)})
    for split in ("train", "val", "test"):
        path = root / "own" / f"{split}.json"
        content = json.loads(path.read_text())
        content["info"]["id_list"] = people
        path.write_text(json.dumps(content))
    return root


OWN = [{"name": "own", "folder": "own"}]
WEIGHTS = {"tiny_weight": {"title": "Tiny weights"}}


@pytest.mark.parametrize("exported", [False, True])
def test_without_a_step_the_model_says_what_its_start_says(
    exported: bool, source: Path, settings: dict[str, Any], places: Places, tmp_path: Path
) -> None:
    start = source
    if exported:
        start = tmp_path / "model"
        export_run(source, start)
    model, original = train(started(settings, start), tmp_path / "run", places), open_run(source, CPU)[0].model
    for head in ("tiny_weight", "tiny_vertices"):
        for person in (*PEOPLE, "pivot"):
            expected = say(original, head, person)
            assert np.ptp(expected) > 0
            # A bundle holds half precision.
            np.testing.assert_allclose(say(model, head, person), expected, atol=exported * 2e-3 * np.ptp(expected))


def test_new_people_begin_as_the_pivot(source: Path, settings: dict[str, Any], places: Places, tmp_path: Path) -> None:
    own = Places(new_data(tmp_path, ["bob", "cy"]), places.cache)
    model = train(started(settings, source, data=OWN, heads=WEIGHTS), tmp_path / "run", own)
    original = open_run(source, CPU)[0].model
    assert model.spec.identities == ("bob", "cy", "pivot")
    assert np.array_equal(say(model, "tiny_weight", "bob"), say(original, "tiny_weight", "bob"))
    assert np.array_equal(say(model, "tiny_weight", "cy"), say(original, "tiny_weight", "pivot"))
    assert not np.array_equal(say(model, "tiny_weight", "cy"), say(model, "tiny_weight", "bob"))


def test_a_head_that_the_model_lacks_begins_anew_and_is_learned(
    source: Path, settings: dict[str, Any], places: Places, tmp_path: Path
) -> None:
    own = Places(new_data(tmp_path, PEOPLE, annot_type="other_weight"), places.cache)
    heads = {"other_weight": {"title": "Others"}}
    untrained = train(started(settings, source, data=OWN, heads=heads), tmp_path / "untrained", own)
    assert not say(untrained, "other_weight", "ann").any()
    recipe = started(settings, source, data=OWN, heads=heads, warm_up=settings["warm_up"])
    trained = train(recipe, tmp_path / "trained", own)
    assert say(trained, "other_weight", "ann").any()
    encoders = (m.audio_encoder.state_dict() for m in (trained, open_run(source, CPU)[0].model))
    assert all(torch.equal(*pair) for pair in zip(*(state.values() for state in encoders), strict=True))


def test_a_fresh_decoder_keeps_the_encoder_alone(
    source: Path, settings: dict[str, Any], places: Places, tmp_path: Path
) -> None:
    start = {"model": str(source), "decoder": "fresh"}
    model = train(started(settings, source, start=start, decoder={"width": 8}), tmp_path / "run", places)
    original = open_run(source, CPU)[0].model
    assert model.spec.decoder.width == 8
    assert not say(model, "tiny_weight", "ann").any()
    for name, tensor in original.audio_encoder.state_dict().items():
        assert torch.equal(tensor, model.audio_encoder.state_dict()[name])


def test_data_of_another_type_train_a_head_by_the_names_of_its_channels(
    source: Path, settings: dict[str, Any], places: Places, tmp_path: Path
) -> None:
    shuffled = ["tongueOut", *reversed(ARKIT)]
    own = Places(new_data(tmp_path, ["cy", "di"], annot_type="phone", dim=8, names=shuffled, fps=60), places.cache)
    data = [{**OWN[0], "head": "tiny_weight"}]
    recipe = started(settings, source, data=data, heads=WEIGHTS)
    material = begin(recipe, tmp_path / "run", own, CPU, silent)
    entry = material.training.entries[0]
    recorded = np.load(tmp_path / f"own/clips/{entry.name.split()[-1]}.npy")
    assert entry.fps == 25
    target = material.training.target(entry).astype(np.float32)
    for channel, name in enumerate(ARKIT):
        ratio = recorded[:, shuffled.index(name)].max() / recorded[:, shuffled.index("jawOpen")].max()
        np.testing.assert_allclose(target[:, channel], ratio * target[:, 0], atol=2e-3)
    Trainer(material, tmp_path / "run", CPU).fit()
    assert {row.system for row in evaluate(tmp_path / "run", None, "val", None, None, True, CPU).rows} >= {"pivot"}


def test_an_encoder_that_was_trained_carries_over_and_is_resumed(
    tiny_recipe: Recipe, settings: dict[str, Any], places: Places, tmp_path: Path
) -> None:
    joint = tiny_recipe.model_copy(update={"warm_up": tiny_recipe.warm_up.model_copy(update={"epochs": 0})})
    first = train(joint, tmp_path / "first", places)
    recipe = started(settings, tmp_path / "first", warm_up=settings["warm_up"])
    second = train(recipe, tmp_path / "second", places)
    for name, tensor in first.audio_encoder.state_dict().items():
        assert torch.equal(tensor, second.audio_encoder.state_dict()[name])
    pretrained = begin(joint, tmp_path / "again", places, CPU, silent).training
    carried = take_up(tmp_path / "second", CPU, silent)[0].training
    pairs = zip(pretrained.entries, carried.entries, strict=True)
    assert not any(np.array_equal(pretrained.features(one), carried.features(other)) for one, other in pairs)
    assert load_checkpoint(tmp_path / "second" / CHECKPOINT).position.done
    assert evaluate(tmp_path / "second", None, "val", None, None, True, CPU).rows


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"decoder": {"width": 32}}, r"decoder\.width 32.*tiny has 16"),
        ({"encoder": {"layers": 3}}, r"encoder\.layers 3.*tiny has 2"),
        (
            {"heads": {"tiny_weight": {"title": "", "layers": 2}, "tiny_vertices": {"title": "", "components": 4}}},
            "layers 2",
        ),
        ({"heads": {**WEIGHTS, "tiny_vertices": {"title": "", "components": 3}}}, r"components 3.*but 4 in tiny"),
        ({"start": {"model": "nowhere"}}, "nowhere"),
    ],
)
def test_another_network_than_the_start_model_is_refused_with_both(
    changes: dict[str, Any], told: str, source: Path, settings: dict[str, Any], places: Places, tmp_path: Path
) -> None:
    with pytest.raises(UniTalkerError, match=told):
        begin(started(settings, source, **changes), tmp_path / "run", places, CPU, silent)
    assert not (tmp_path / "run").exists()


def test_another_topology_is_refused_with_both(
    source: Path, settings: dict[str, Any], places: Places, tmp_path: Path
) -> None:
    own = Places(
        new_data(tmp_path, PEOPLE, annot_type="tiny_vertices", kind="vertices", dim=30, names=[]), places.cache
    )
    recipe = started(settings, source, data=OWN, heads={"tiny_vertices": {"title": "", "components": 4}})
    with pytest.raises(UniTalkerError, match=r"30 numbers.*36"):
        begin(recipe, tmp_path / "run", own, CPU, silent)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"start": {"decoder": "fresh", "encoder": "fresh"}}, "both fresh"),
        ({"start": None}, "encoder.source is missing"),
        ({"joint": {"epochs": 1}}, "start.trained is decoder"),
    ],
)
def test_combinations_that_make_no_sense_are_refused(
    changes: dict[str, Any], told: str, settings: dict[str, Any]
) -> None:
    with pytest.raises(UniTalkerError, match=told):
        started(settings, Path("unitalker-s"), **changes)

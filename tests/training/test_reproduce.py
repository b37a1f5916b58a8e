"""The paper's experiments in miniature: what is planned, what follows from numbers, and a whole run on made-up data."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from backend.errors import UniTalkerError
from tests.training.conftest import RATE, sound_of, speaking
from training.reproduce.agenda import Beginning
from training.reproduce.budget import Costs, Plan, choose_plan, parse_budget
from training.reproduce.document import Circumstances, lookup_of, write_document
from training.reproduce.measure import RELATIVE, Recordings, measure
from training.reproduce.mini import KNOWN_PEOPLE, NEW_PEOPLE, mini_suite
from training.reproduce.recipes import RecipeMaker
from training.reproduce.reproduction import Reproduction
from training.reproduce.running import Result, Site, Workplace
from training.reproduce.subsets import Part, write_part
from training.reproduce.suite import Comparison, Experiment, Reading, Row, Suite
from training.reproduce.verdicts import Outcome, judge
from training.whisper_source import WhisperEncoderWeights, save_encoder

CPU = torch.device("cpu")
BASE = Path(__file__).parents[2] / "training/recipes/mini.yaml"
SUITE = mini_suite()
COSTS = Costs(warm_up=0.02, joint=0.2, training=3.0)
MANY = sorted((*KNOWN_PEOPLE, *NEW_PEOPLE))
MOUTH = ["jawOpen", "mouthClose", "mouthPucker", "browInnerUp"]


def write_set(folder: Path, people: list[str], clips: int, **annotation: object) -> None:
    """A data set with so many training clips of each person, one to validate and two to test."""
    (folder / "clips").mkdir(parents=True)
    described = {"fps": 25, **annotation}
    if described["kind"] == "blendshapes":
        described["neutral"] = {person: [0.0] * len(MOUTH) for person in people}
    (folder / "annotation.json").write_text(json.dumps(described))
    dim = int(str(described["dim"]))
    np.save(folder / "id_template.npy", np.zeros((len(people), dim), np.float32))
    lists: dict[str, list[dict[str, object]]] = {"train": [], "val": [], "test": []}
    for row, person in enumerate(people):
        for number, split in enumerate(["train"] * clips + ["val", "test", "test"]):
            motion = speaking(50, dim, 100 * row + number)
            np.save(folder / f"clips/{person}_{number}.npy", motion.astype(np.float32))
            soundfile.write(folder / f"clips/{person}_{number}.flac", sound_of(motion, 25), RATE)
            paths = {"annot_path": f"clips/{person}_{number}.npy", "audio_path": f"clips/{person}_{number}.flac"}
            lists[split].append({**paths, "id": row, "annot_type": described["annot_type"], "dataset": "T", "fps": 25})
    for split, entries in lists.items():
        (folder / f"{split}.json").write_text(json.dumps({"info": {"id_list": people}, "data": entries}))


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small stand-ins for G0 to G4."""
    root = tmp_path_factory.mktemp("data")
    mesh = {"annot_type": "mediapipe_468_vertices", "kind": "vertices", "dim": 36}
    weights = {"annot_type": "mediapipe_blendshape_weight", "kind": "blendshapes", "dim": 4, "names": MOUTH}
    write_set(root / "G0_grid_mesh", ["s1"], 8, **mesh)
    write_set(root / "G1_grid_arkit", ["s1"], 8, **weights)
    write_set(root / "G2_facegood", ["woman"], 8, **{**weights, "annot_type": "facegood_blendshape_weight"})
    write_set(root / "G3_grid_speakers", MANY, 1, **weights)
    write_set(root / "G4_grid_speakers_mesh", MANY, 1, **mesh)
    np.save(root / "G0_grid_mesh/lip_idx.npy", np.arange(4))
    return root


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One layer of 64 channels with random weights."""
    torch.manual_seed(0)
    config: dict[str, Any] = {
        "d_model": 64,
        "encoder_layers": 1,
        "encoder_attention_heads": 1,
        "encoder_ffn_dim": 64,
        "num_mel_bins": 80,
        "max_source_positions": 1500,
    }
    state = WhisperEncoder(WhisperConfig(**config)).state_dict()
    path = tmp_path_factory.mktemp("encoder") / "tiny.safetensors"
    save_encoder(WhisperEncoderWeights({name: array.numpy() for name, array in state.items()}, config), path)
    return path


@pytest.fixture
def workplace(data_root: Path, encoder: Path, tmp_path: Path) -> Callable[[Suite, str], Workplace]:
    return lambda suite, name: Workplace(Site(suite, BASE, data_root, tmp_path / name, encoder, CPU))


def test_every_training_of_the_suite_is_a_valid_recipe(data_root: Path, tmp_path: Path) -> None:
    maker = RecipeMaker(BASE, tmp_path)
    for part in {part for training in SUITE.trainings for part in training.all_parts}:
        write_part(part, data_root / maker.sources[part.data], tmp_path / part.folder, 40)
    for training in SUITE.trainings:
        start = tmp_path if training.start else None
        recipe = maker.recipe(training, 3, Plan(3, 2, 29, 3), start)
        assert recipe.seed == 3
        assert (recipe.warm_up.epochs > 0, recipe.joint.epochs > 0) == (training.warm_up, training.joint)


def test_every_row_reads_what_some_training_measures() -> None:
    names = [training.name for training in SUITE.trainings]
    assert len(set(names)) == len(names)
    for training in SUITE.trainings:
        assert training.start is None or names.index(training.start) < names.index(training.name)
    for experiment in SUITE.experiments:
        labels = {row.label for row in experiment.rows}
        assert all({comparison.better, comparison.worse} <= labels for comparison in experiment.comparisons)
        for row in experiment.rows:
            assert len(row.readings) == len(experiment.columns)
            for reading in filter(None, row.readings):
                measured = {measurement.key for measurement in SUITE.training(reading.training).tests}
                assert set(reading.tests) <= measured


def test_new_people_are_heard_in_no_training_that_is_measured_on_them() -> None:
    training = SUITE.training("six people, pivot")
    trained = {person for part in training.parts for person in part.people or ()}
    assert trained == set(KNOWN_PEOPLE)
    assert trained.isdisjoint(NEW_PEOPLE)
    assert not any(part.people is None for part in SUITE.basis if part.data in ("G3", "G4"))


@given(st.floats(600, 40000), st.floats(0.001, 0.2), st.floats(0.01, 1.0), st.integers(1, 5))
def test_a_plan_fits_its_budget_or_is_the_shortest(budget: float, warm_up: float, joint: float, seeds: int) -> None:
    costs = Costs(warm_up, joint, 1.0)
    plan = choose_plan(SUITE.trainings, seeds, 29.0, costs, budget)
    expected = seeds * sum(plan.seconds(training, costs) for training in SUITE.trainings)
    assert expected <= budget or (plan.warm_up, plan.joint) == (2, 1)
    longer = choose_plan(SUITE.trainings, seeds, 29.0, costs, 3 * budget)
    assert sum(longer.steps(SUITE.training("joint"))) >= sum(plan.steps(SUITE.training("joint")))


def test_what_is_compared_has_as_many_steps() -> None:
    plan = Plan(4, 2, 29, 3)
    joint = sum(plan.steps(SUITE.training("joint")))
    assert joint == 5 * sum(plan.steps(SUITE.training("G0 alone")))
    for one, other in (
        ("joint", "joint, transformer"),
        ("joint", "joint, adaptor at 0"),
        ("G0 alone", "G0, neither"),
        ("six people, pivot", "six people, no pivot"),
        ("0.125 of G2, pretrained", "G2 alone"),
        ("one clip of s3, decoder", "one clip of s3, raw encoder"),
    ):
        assert sum(plan.steps(SUITE.training(one))) == sum(plan.steps(SUITE.training(other)))


@pytest.mark.parametrize(("text", "seconds"), [("2h", 7200), ("75min", 4500), ("90m", 5400), ("1.5 h", 5400)])
def test_budgets_are_read(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "0h", "-1h", "two hours"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UniTalkerError, match="not a time"):
        parse_budget(text)


EXPERIMENT = Experiment(
    title="Old or new",
    paper="Table 0.",
    setting="Made up.",
    columns=("one", "two"),
    rows=(
        Row("new", (Reading("new", ("a",)), Reading("new", ("b",)))),
        Row("old", (Reading("old", ("a",)), Reading("old", ("b",)))),
    ),
    comparisons=(Comparison("New is better.", "new", "old"),),
)


@pytest.mark.parametrize(
    ("new", "old", "outcome"),
    [
        ([0.50, 0.52, 0.51], [0.60, 0.61, 0.62], Outcome.HELD),
        ([0.60, 0.61, 0.62], [0.50, 0.52, 0.51], Outcome.OPPOSITE),
        ([0.50, 0.70, 0.51], [0.60, 0.61, 0.62], Outcome.TOO_CLOSE),
        ([0.50], [0.60], Outcome.TOO_CLOSE),
        ([0.50, 0.52, 0.51], [0.60, 0.61, np.inf], Outcome.HELD),
        ([], [0.60, 0.61, 0.62], Outcome.NOT_RUN),
    ],
)
def test_a_claim_holds_if_the_difference_is_larger_than_the_spread(
    new: list[float], old: list[float], outcome: Outcome
) -> None:
    results = made_up(new=new, old=old)
    verdict = judge(EXPERIMENT.comparisons[0], EXPERIMENT, range(1, 4), lookup_of(results))
    assert verdict.outcome is outcome
    suite = Suite((), (EXPERIMENT,), ("Nothing.",), (), ())
    text = write_document(suite, Circumstances("this machine", "an encoder", "now", Plan(4, 2, 29, 3), results, {}))
    assert f"**{outcome.value.capitalize()}.**" in text


def test_a_row_that_is_no_better_than_a_still_face_is_named() -> None:
    suite = Suite((), (EXPERIMENT,), (), (), ())
    results = made_up(new=[0.5, 0.5, 0.5], old=[1.1, 1.2, 1.3])
    text = write_document(suite, Circumstances("this machine", "an encoder", "now", Plan(1, 1, 29, 3), results, {}))
    assert "No better than a still face in at least one column: old." in text
    assert "too small to mean anything" in text


def made_up(**errors: list[float]) -> tuple[Result, ...]:
    """Results of two columns; an infinite error is a training that diverged."""
    return tuple(
        Result(name, seed, 10, 5, 60.0, {}, diverged=True)
        if np.isinf(value)
        else Result(name, seed, 10, 5, 60.0, {"a": {RELATIVE: value}, "b": {RELATIVE: value + 0.1}})
        for name, values in errors.items()
        for seed, value in enumerate(values, 1)
    )


def test_parts_have_the_clips_that_they_say(data_root: Path, tmp_path: Path) -> None:
    def clips(part: Part, split: str) -> list[str]:
        write_part(part, data_root / "G4_grid_speakers_mesh", tmp_path / part.folder, 40)
        content = json.loads((tmp_path / part.folder / f"{split}.json").read_text())
        assert content["info"]["id_list"] == list(part.people or MANY)
        return [Path(entry["annot_path"]).stem for entry in content["data"]]

    one = Part("G4", ("s3",), first=1, tests="unused")
    assert clips(one, "train") == ["s3_0"]
    assert sorted(clips(one, "test")) == ["s3_1", "s3_2", "s3_3"]
    assert len(clips(Part("G4"), "test")) == 2 * len(MANY)


def test_a_still_model_has_a_relative_error_of_one(
    workplace: Callable[[Suite, str], Workplace], data_root: Path
) -> None:
    """An untrained head says rest."""
    from backend.model.spec import DecoderSpec, EncoderSpec, HeadSpec, ModelSpec
    from backend.model.unitalker import UniTalker
    from training.datasets.official import OfficialDataSet

    data = OfficialDataSet(data_root / "G3_grid_speakers")
    spec = ModelSpec(
        encoder=EncoderSpec(kind="whisper", config={"d_model": 64, "encoder_layers": 1, "encoder_attention_heads": 1}),
        decoder=DecoderSpec(width=16),
        heads=(HeadSpec(annotation=data.annotation),),
        identities=(*data.identities, "pivot"),
    )
    recordings = Recordings(tuple(data.clips("test")), data.annotation, None)
    found = measure(UniTalker(spec), recordings, ["own", "pivot", "others"])
    assert [numbers[RELATIVE] for numbers in found.values()] == [1.0, 1.0, 1.0]


class InterruptionError(Exception):
    pass


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_interrupted_reproduction_goes_on_and_ends_the_same(
    workers: int, workplace: Callable[[Suite, str], Workplace], tmp_path: Path
) -> None:
    names = ("G4 alone", "six people, pivot", "one clip of s3, all")
    suite = replace(SUITE, trainings=tuple(SUITE.training(name) for name in names))
    begun = Beginning(Plan(1, 1, 3, 2), COSTS, "this machine", "this code")
    steps = 0

    def interrupt(*_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == 15:
            raise InterruptionError

    first = Reproduction(workplace(suite, "first"), 2)
    with pytest.raises(InterruptionError):
        first.run(begun, float("inf"), interrupt)
    early = first.results(begun.plan)
    assert 0 < len(early) < 6
    assert 0 < first.seconds_left(begun) < 2 * sum(map(begun.seconds, suite.trainings))
    resumed = Reproduction(workplace(suite, "first"), 2).run(begun, float("inf"), lambda *_: None)
    whole = Reproduction(workplace(suite, "second"), 2, workers).run(begun, float("inf"), lambda *_: None)
    assert resumed[: len(early)] == early
    assert [result.numbers for result in resumed] == [result.numbers for result in whole]
    assert all(result.numbers for result in whole)
    first.write(begun, tmp_path / "docs/reproduction.md", "random weights")
    text = (tmp_path / "docs/reproduction.md").read_text()
    assert "6 of 6: 3 with 2 seeds each" in text
    content = json.loads((tmp_path / "first/results.json").read_text())
    assert len(content["results"]) == 6
    # The tiny faces open and close in all clips alike, so that half open is better than shut.
    assert all(0 < error < 1 for error in content["mean_faces"].values())


def test_what_does_not_fit_before_the_deadline_is_left_out(workplace: Callable[[Suite, str], Workplace]) -> None:
    suite = replace(SUITE, trainings=(SUITE.training("G4 alone"),))
    assert (
        Reproduction(workplace(suite, "run"), 1).run(Beginning(Plan(1, 1, 3, 1), COSTS, "", ""), 0.0, lambda *_: None)
        == ()
    )


def test_seeds_can_be_added_to_what_was_begun(workplace: Callable[[Suite, str], Workplace]) -> None:
    place = workplace(SUITE, "run")
    place.site.folder.mkdir()
    begun = Beginning(Plan(4, 1, 29, 3), COSTS, "this machine", "this code")
    (place.site.folder / "plan.json").write_text(json.dumps(asdict(begun)))
    again = Reproduction(place, 5).begin(60.0)
    assert again == replace(begun, plan=replace(begun.plan, seeds=5))

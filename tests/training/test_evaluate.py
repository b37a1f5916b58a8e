"""`train evaluate`: who is measured under which identity, against what, and how sure the numbers are."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from backend.bundle import Bundle
from training.cli import app
from training.config import Joining, Recipe, parse_recipe
from training.datasets.corpus import Corpus
from training.datasets.official import OfficialDataSet
from training.evaluate import MEASURED, OWN, PIVOT, evaluate_motion, phones_of_parts
from training.evaluation import evaluate
from training.export import open_run
from training.motion_measures.catalogue import MEASURES
from training.motion_measures.measuring import measure
from training.motion_measures.phones import read_phones
from training.motion_measures.recording import Mouth, Recording, hear
from training.places import Places
from training.results import Results, Row, read_results, write_results
from training.runs import begin
from training.sequences import ListedClip, join
from training.trainer import Trainer

CPU = torch.device("cpu")
PHONES = [
    [0, 0.55, "SIL"],
    [0.6, 0.8, "AA"],
    [0.8, 1, "B"],
    [1, 1.2, "UW"],
    [1.2, 1.4, "T"],
    [1.4, 1.6, "IY"],
    [1.8, 2.4, "SIL"],
]


@pytest.fixture(scope="module")
def data(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small world with phones beside the sounds of the weights, and the regions of the mesh."""
    root = tmp_path_factory.mktemp("evaluate") / "data"
    shutil.copytree(tiny_data, root)
    (root / "weights/clips/phones.json").write_text(json.dumps({f"w{number}": PHONES for number in range(8)}))
    template = np.random.default_rng(0).normal(0, 0.05, (2, 12, 3)) * [2, 1.5, 1]
    np.save(root / "mesh/id_template.npy", template.astype(np.float32))
    for path in (root / "mesh/clips").glob("*.npy"):
        np.save(path, np.load(path) + template[int(path.stem[1]) % 2].reshape(-1).astype(np.float32))
    np.save(root / "mesh/lip_idx.npy", np.arange(8))
    np.save(root / "mesh/upper_face_idx.npy", np.arange(8, 12))
    return root


@pytest.fixture(scope="module")
def run(data: Path, tiny_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run") / "run"
    short = tiny_recipe.model_copy(
        update={
            "warm_up": tiny_recipe.warm_up.model_copy(update={"epochs": 1}),
            "joint": tiny_recipe.joint.model_copy(update={"epochs": 0}),
        }
    )
    places = Places(data, tmp_path_factory.mktemp("cache"))
    Trainer(begin(short, run, places, CPU, lambda _name: lambda _done, _what: None), run, CPU).fit()
    return run


@pytest.fixture(scope="module")
def results(run: Path) -> Results:
    return evaluate(run, None, "val", None, None, False, CPU, per_identity=True)


def rows_of(results: Results, data: str) -> dict[str, Row]:
    return {row.system: row for row in results.rows if row.data == data}


def test_vertices_are_measured_on_lips_upper_face_and_all(results: Results) -> None:
    own = rows_of(results, "M val")[OWN]
    assert own.numbers.keys() >= {
        "LVE (m²)",
        "LVE pooled (m²)",
        "LVD (mm)",
        "MVE (mm)",
        "UFVE (mm)",
        "FDD (m²)",
        "FDD signed (m²)",
        "range",
        "jerk (Hz)",
    }
    low, high = own.intervals["LVD (mm)"]
    assert low <= own.numbers["LVD (mm)"] <= high
    assert own.numbers["LVD (mm)"] ** 2 <= 1e6 * own.numbers["LVE (m²)"] * 1.0001
    assert abs(own.numbers["FDD signed (m²)"]) <= own.numbers["FDD (m²)"]


def test_weights_have_errors_and_every_channel_its_correlation_and_lag(results: Results) -> None:
    own = rows_of(results, "W val")[OWN]
    assert own.numbers.keys() >= {"r jawOpen", "mouth r", "mouth lag (ms)", "mse (weight²)", "mae (weight)"}
    assert len(own.channels) == 7
    assert own.channels[0].pearson_r == own.numbers["r jawOpen"]


def test_phones_beside_the_sounds_are_used_and_measured_motion_stands_beside(results: Results) -> None:
    weights = rows_of(results, "W val")
    for system in (OWN, PIVOT, MEASURED):
        assert weights[system].numbers.keys() >= {"closures", "false closures", "AUC closure", "open in silence"}
    without_phones = {one.name for one in MEASURES if not one.needs_phones}
    assert rows_of(results, "M val")[MEASURED].numbers.keys() <= without_phones
    assert weights[MEASURED].numbers["open in silence"] < 0.05, "silent clips are still in their first quarter"


def test_each_speaker_has_rows(results: Results) -> None:
    both = rows_of(results, "W val")
    for name in ("ann", "bob"):
        assert rows_of(results, f"W val, {name}").keys() == both.keys()
    mean = np.mean([rows_of(results, f"W val, {name}")[OWN].numbers["mse (weight²)"] for name in ("ann", "bob")])
    assert both[OWN].numbers["mse (weight²)"] == pytest.approx(mean, rel=1e-5), "one clip of each"


def test_people_whom_the_model_does_not_know_are_measured_under_the_pivot_and_named(
    run: Path, data: Path, tiny_recipe: Recipe
) -> None:
    bundle, _ = open_run(run, CPU)
    rows = stranger_rows(bundle, data, tiny_recipe)
    assert {row.system for row in rows if row.data == "W val"} == {OWN, PIVOT, MEASURED}
    strangers = [row for row in rows if row.data == "W val, unknown speakers"]
    assert {row.system for row in strangers} == {PIVOT, MEASURED}
    assert all("does not know zoe" in row.note for row in strangers)


def stranger_rows(bundle: Bundle, data: Path, recipe: Recipe) -> list[Row]:
    plain = recipe.model_dump(mode="json")
    plain["data"][0]["identities"] = ["ann", "zoe"]
    other = parse_recipe(plain, "other")
    return evaluate_motion(bundle, other, Corpus(other, data), "val", None)


def test_results_are_read_as_they_were_written(results: Results, tmp_path: Path) -> None:
    write_results(results, tmp_path)
    read = read_results(tmp_path)
    assert read is not None
    for one, other in zip(results.rows, read.rows, strict=True):
        assert (one.data, one.head, one.system, one.note) == (other.data, other.head, other.system, other.note)
        np.testing.assert_equal(other.numbers, one.numbers)
        np.testing.assert_equal(other.intervals, one.intervals)
        np.testing.assert_equal([vars(c) for c in other.channels], [vars(c) for c in one.channels])
    old = [{"data": "d", "head": "h", "system": "pivot", "numbers": {"r": None}}]
    (tmp_path / "evaluation.json").write_text(json.dumps(old))
    assert np.isnan(read_results(tmp_path).rows[0].numbers["r"])  # type: ignore[union-attr]


def test_the_command_shows_intervals_speakers_and_channels(run: Path) -> None:
    arguments = ["evaluate", str(run), "--no-floor", "--per-identity", "--per-channel", "--device", "cpu"]
    told = CliRunner().invoke(app, arguments, catch_exceptions=False).stdout
    for expected in (
        "W val, bob",
        "measured motion",
        "UFVE (mm)",
        "mae (weight)",
        " to ",
        "r (lag in ms)",
        "browInnerUp",
    ):
        assert expected in told


def test_phones_of_joined_clips_lie_where_their_words_are(shared: Path) -> None:
    """Real p, b and m are closed where the phones of joined clips say; with the clips out of order they are not."""
    bench = shared / "bench"
    known = read_phones(bench / "audio_grid_s1/phones.json")
    clips = list(OfficialDataSet(bench / "G1_grid_arkit").clips("val"))[:60]
    joining = Joining(seconds=(18, 18), leading_probability=0, gap_probability=0)

    def near_closures(names: dict[str, str]) -> float:
        recordings = []
        listed = [ListedClip(len(clip.motion) / clip.fps, partial(replace, clip)) for clip in clips]
        for sequence in join(listed, "G1", joining, None, None):
            phones = phones_of_parts(sequence, {name: known[other] for name, other in names.items()})
            jaw, close = (sequence.annotation.names.index(name) for name in ("jawOpen", "mouthClose"))
            opening = sequence.target[:, jaw] - sequence.target[:, close]
            recordings.append(Recording(sequence.name, Mouth(opening), 25, hear(sequence.audio, phones)))
        return measure(recordings)["near closures"].value

    names = [clip.name for clip in clips]
    assert near_closures(dict(zip(names, names, strict=True))) > 0.85
    assert near_closures(dict(zip(names, names[1:] + names[:1], strict=True))) < 0.75

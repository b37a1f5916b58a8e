"""`pca fit` on a data set: what it reads, writes and refuses, and that training takes what it wrote."""

from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from backend.errors import UniTalkerError
from training.cli import app
from training.config import Recipe
from training.datasets.official import OfficialDataSet
from training.line_chart import Line, line_chart
from training.pca import PcaBasis, fit_pca
from training.places import Places
from training.runs import begin

from .conftest import speaking, write_data_set

runner = CliRunner()


@pytest.fixture
def mesh(tiny_data: Path, tmp_path: Path) -> Path:
    """Four clips of 12 vertices at 30 fps."""
    return Path(shutil.copytree(tiny_data / "mesh", tmp_path / "mesh"))


def test_frames_are_those_of_the_training_clips(tmp_path: Path) -> None:
    """At 60 fps, scaled, less the template, cut to the sound: whatever the way to them."""
    annotation = {"annot_type": "m", "fps": 60, "kind": "vertices", "dim": 36, "scale": 0.001}
    write_data_set(tmp_path / "D", annotation, {f"m{n}": (n % 2, speaking(95 + 7 * n, 36, n)) for n in range(4)})
    np.save(tmp_path / "D/id_template.npy", np.random.default_rng(0).normal(size=(2, 12, 3)))
    data = OfficialDataSet(tmp_path / "D")
    expected = np.concatenate([clip.motion for clip in data.clips("train")])
    frames = data.frames("train")
    assert frames.shape == expected.shape
    np.testing.assert_array_equal(frames[:], expected)
    rows = np.random.default_rng(1).permutation(len(expected))[:50]
    np.testing.assert_array_equal(frames[rows], expected[rows])
    assert "m2.npy" in frames.label(len(expected) - 60)


def test_a_fit_reads_clips_from_their_files(mesh: Path) -> None:
    data = OfficialDataSet(mesh)
    clips = [clip.motion for clip in data.clips("train")]
    direct, spooled = fit_pca(data.frames("train"), 8, 64), fit_pca(clips, 8, 64)
    np.testing.assert_array_equal(direct.components, spooled.components)


def test_a_selection_of_frames_costs_their_memory_only(tmp_path: Path) -> None:
    annotation = {"annot_type": "m", "fps": 25, "kind": "vertices", "dim": 9000}
    write_data_set(tmp_path / "D", annotation, {f"m{n}": (0, speaking(50, 9000, n)) for n in range(6)})
    frames = OfficialDataSet(tmp_path / "D").frames("train")
    tracemalloc.start()
    chosen = frames[np.arange(0, 300, 30)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert chosen.shape == (10, 9000) and peak < 4 * chosen.nbytes


def test_the_command_prints_draws_and_stores(mesh: Path, tmp_path: Path) -> None:
    command = ["pca", "fit", str(mesh), "--components", "6", "--batch", "50"]
    result = runner.invoke(app, command)
    assert result.exit_code == 0, result.output
    for expected in ("1 component ", "6 components", "95 %", "held out"):
        assert expected in result.stdout
    basis = PcaBasis.load(mesh / "pca.npz", dim=36)
    assert len(basis.components) == 6
    assert ElementTree.parse(mesh / "pca.svg").getroot().tag.endswith("svg")


def test_the_released_behaviour_can_be_chosen(mesh: Path) -> None:
    """288 frames in batches of 100: the last 88 are fitted, or left out as the released code does."""
    fit = ["pca", "fit", str(mesh), "--components", "4", "--batch", "100"]
    frames = OfficialDataSet(mesh).frames("train")
    for flags, keep in (([], True), (["--official"], False)):
        assert runner.invoke(app, [*fit, *flags]).exit_code == 0
        expected = fit_pca(frames, 4, 100, keep_last_partial_batch=keep)
        np.testing.assert_array_equal(PcaBasis.load(mesh / "pca.npz").components, expected.components)


def test_a_frame_that_is_no_number_is_named(mesh: Path) -> None:
    motion = np.load(mesh / "clips/m1.npy")
    motion[17, 3] = np.nan
    np.save(mesh / "clips/m1.npy", motion)
    with pytest.raises(UniTalkerError, match=r"frame 17 of .*m1\.npy contains NaN"):
        runner.invoke(app, ["pca", "fit", str(mesh), "--components", "4"], catch_exceptions=False)
    assert not (mesh / "pca.npz").exists()


def test_weights_need_no_pca(tiny_data: Path) -> None:
    with pytest.raises(UniTalkerError, match="only vertices need a PCA"):
        runner.invoke(app, ["pca", "fit", str(tiny_data / "weights")], catch_exceptions=False)


def test_training_takes_the_pca_of_the_data_set(tiny_recipe: Recipe, tiny_data: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_data, tmp_path / "data")
    stored = fit_pca(OfficialDataSet(tmp_path / "data/mesh").frames("train"), 9, 50, seed=5)
    stored.save(tmp_path / "data/mesh/pca.npz")
    places = Places(tmp_path / "data", tmp_path / "cache")
    begin(tiny_recipe, tmp_path / "run", places, torch.device("cpu"), lambda _name: lambda _done, _what: None)
    used = PcaBasis.load(tmp_path / "run/pca/tiny_vertices.npz")
    np.testing.assert_array_equal(used.components, stored.components[:4])


def test_the_pca_of_another_topology_stops_a_training_at_once(
    tiny_recipe: Recipe, tiny_data: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_data, tmp_path / "data")
    fit_pca(np.random.default_rng(0).normal(size=(50, 30)), 9, 50).save(tmp_path / "data/mesh/pca.npz")
    with pytest.raises(UniTalkerError, match=r"PCA of 10 vertices.*annotation has 12 vertices"):
        begin(
            tiny_recipe,
            tmp_path / "run",
            Places(tmp_path / "data", tmp_path / "cache"),
            torch.device("cpu"),
            lambda _name: lambda _done, _what: None,
        )


def test_a_chart_keeps_its_lines_on_the_paper_and_its_text_literal() -> None:
    root = ElementTree.fromstring(
        line_chart("a < b", "x", "y", [Line("p & q", [1, 512], [0.2, 99]), Line("r", [1, 2], [5, 5])])
    )
    numbers = [
        tuple(map(float, point.split(",")))
        for line in root.iter("{http://www.w3.org/2000/svg}polyline")
        for point in line.attrib["points"].split()
    ]
    assert all(0 <= x <= 640 and 0 <= y <= 360 for x, y in numbers)
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a < b", "p & q"} <= set(texts)
    assert {"200", "400", "40", "80"} <= set(texts)


def test_a_single_value_is_a_dot_on_the_paper() -> None:
    root = ElementTree.fromstring(line_chart("one epoch", "x", "y", [Line("loss", [1], [0.5], dashed=True)]))
    (dot,) = root.iter("{http://www.w3.org/2000/svg}circle")
    assert 0 <= float(dot.attrib["cx"]) <= 640
    assert 0 <= float(dot.attrib["cy"]) <= 360

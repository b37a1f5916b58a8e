"""Training from data sets to a model folder, interrupted at will."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.audio import Audio
from backend.bundle import load_bundle
from backend.engines.torch_engine import TorchEngine
from backend.errors import UniTalkerError
from backend.inference import AnimateOptions, animate
from training.checkpoint import load_checkpoint
from training.config import Recipe
from training.evaluate import evaluate_speech
from training.evaluation import evaluate
from training.export import export_run, open_run
from training.observer import Observer, StepReport
from training.places import Places
from training.runs import begin, take_up
from training.trainer import CHECKPOINT, Trainer

from .watchers import Recorder, silent

CPU = torch.device("cpu")


class InterruptionError(Exception):
    pass


class InterruptAt(Observer):
    """Raises after so many steps, like Ctrl-C."""

    def __init__(self, step: int) -> None:
        self.left = step

    def step(self, report: StepReport) -> None:
        self.left -= 1
        if not self.left:
            raise InterruptionError


@pytest.fixture(scope="session")
def places(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places(tiny_data, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def trained(tiny_recipe: Recipe, places: Places, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recorder]:
    run = tmp_path_factory.mktemp("runs") / "whole"
    recorder = Recorder()
    Trainer(begin(tiny_recipe, run, places, CPU, silent), run, CPU, recorder).fit()
    return run, recorder


def test_training_learns_both_heads(trained: tuple[Path, Recorder]) -> None:
    _, recorder = trained
    assert [report.stage for report in recorder.epochs] == ["warm_up"] * 6 + ["joint"]
    for head in ("tiny_weight", "tiny_vertices"):
        assert recorder.epochs[5].training[head] < 0.9 * recorder.epochs[0].training[head]


def test_the_encoder_changes_only_where_the_recipe_says(trained: tuple[Path, Recorder], tiny_encoder: Path) -> None:
    from safetensors.torch import load_file

    run, _ = trained
    before, after = load_file(tiny_encoder), load_checkpoint(run / CHECKPOINT).model
    changed = {name for name in before if not torch.equal(before[name].float(), after[f"audio_encoder.{name}"])}
    assert changed
    assert all(name.startswith("layers.1.") for name in changed)


@pytest.mark.parametrize("step", [1, 13, 40])
def test_an_interrupted_training_ends_in_the_same_weights(
    step: int, trained: tuple[Path, Recorder], tiny_recipe: Recipe, places: Places, tmp_path: Path
) -> None:
    every_step = tiny_recipe.model_copy(update={"checkpoint_minutes": 1e-9})
    with pytest.raises(InterruptionError):
        Trainer(begin(every_step, tmp_path, places, CPU, silent), tmp_path, CPU, InterruptAt(step)).fit()
    torch.rand(5)
    material, checkpoint = take_up(tmp_path, CPU, silent)
    Trainer(material, tmp_path, CPU).fit(checkpoint)
    assert_same_weights(tmp_path, trained[0])
    resumed, whole = load_checkpoint(tmp_path / CHECKPOINT).history, trained[1].epochs
    assert [(report.training, report.validation) for report in resumed] == [
        (report.training, report.validation) for report in whole
    ]


def test_a_killed_training_ends_in_the_same_weights(
    trained: tuple[Path, Recorder], tiny_data: Path, places: Places, tmp_path: Path
) -> None:
    script = f"""
import os, signal, sys
from pathlib import Path
import torch, yaml
from training.checkpoint import load_checkpoint
from training.config import load_recipe
from training.places import Places
from training.runs import begin
from training.observer import Observer
from training.trainer import Trainer

class KillAt(Observer):
    left = 9
    def step(self, *_):
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)

run, cpu = Path({str(tmp_path / "run")!r}), torch.device("cpu")
recipe = load_recipe(Path({str(tmp_path / "recipe.yaml")!r}))
places = Places(Path({str(places.data_root)!r}), Path({str(places.cache)!r}))
Trainer(begin(recipe, run, places, cpu, lambda name: lambda done, what: None), run, cpu, KillAt()).fit()
"""
    recipe = load_checkpoint(trained[0] / CHECKPOINT).recipe.model_copy(update={"checkpoint_minutes": 1e-9})
    # JSON is YAML.
    (tmp_path / "recipe.yaml").write_text(recipe.model_dump_json())
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    killed = subprocess.run([sys.executable, "-c", script], env=environment, timeout=120, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    material, checkpoint = take_up(tmp_path / "run", CPU, silent)
    Trainer(material, tmp_path / "run", CPU).fit(checkpoint)
    assert_same_weights(tmp_path / "run", trained[0])


def assert_same_weights(run: Path, other: Path) -> None:
    state, expected = load_checkpoint(run / CHECKPOINT).model, load_checkpoint(other / CHECKPOINT).model
    different = [name for name in expected if not torch.equal(state[name], expected[name])]
    assert not different


def test_a_loss_that_is_no_number_stops_and_names_the_clips(
    tiny_recipe: Recipe, places: Places, tmp_path: Path
) -> None:
    material = begin(tiny_recipe, tmp_path, places, CPU, silent)
    with torch.no_grad():
        material.model.decoder.audio_feature_map.bias[0] = torch.nan
    with pytest.raises(UniTalkerError, match=r"(W: w\d|M: m\d)") as caught:
        Trainer(material, tmp_path, CPU).fit()
    assert caught.value.code == "training.diverged"


def test_a_run_is_not_overwritten(trained: tuple[Path, Recorder], tiny_recipe: Recipe, places: Places) -> None:
    with pytest.raises(UniTalkerError, match="resume"):
        begin(tiny_recipe, trained[0], places, CPU, silent)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"not a checkpoint")
    with pytest.raises(UniTalkerError, match=r"checkpoint\.pt"):
        load_checkpoint(tmp_path / CHECKPOINT)


def test_the_exported_model_animates_as_the_trained_one(trained: tuple[Path, Recorder], tmp_path: Path) -> None:
    run, _ = trained
    export_run(run, tmp_path / "tiny")
    exported, original = TorchEngine(load_bundle(tmp_path / "tiny")), TorchEngine(open_run(run, CPU)[0])
    audio = Audio(0.1 * np.random.default_rng(0).standard_normal(32000).astype(np.float32))
    for head in ("tiny_weight", "tiny_vertices"):
        options = AnimateOptions(head=head)
        motion, expected = animate(exported, audio, options), animate(original, audio, options)
        # Half precision on disk: a thousandth of the range.
        np.testing.assert_allclose(motion.values, expected.values, atol=2e-3 * np.ptp(expected.values) + 1e-5)
    assert exported.manifest.default_identity == "pivot"
    assert str(tmp_path) not in (tmp_path / "tiny" / "model.json").read_text()


def test_evaluation_compares_with_the_linear_head_and_goes_into_the_card(
    trained: tuple[Path, Recorder], tmp_path: Path
) -> None:
    run, _ = trained
    results = evaluate(run, None, "test", None, None, True, CPU)
    weights = {row.system: row.numbers for row in results.rows if row.head == "tiny_weight"}
    assert set(weights) == {"own identity", "pivot", "linear head", "measured motion"}
    assert -1 <= weights["own identity"]["r jawOpen"] <= 1
    export_run(run, tmp_path / "tiny")
    card = (tmp_path / "tiny" / "MODEL_CARD.md").read_text()
    assert f"{weights['own identity']['mouth r']:.3g}" in card
    assert "linear head" in card


def test_a_model_folder_is_evaluated_too(trained: tuple[Path, Recorder], places: Places, tmp_path: Path) -> None:
    export_run(trained[0], tmp_path / "tiny")
    rows = evaluate(tmp_path / "tiny", places.data_root, "val", None, None, True, CPU).rows
    assert {row.data for row in rows} == {"W val", "M val"}


def test_speech_without_motion_is_judged_by_its_pauses(trained: tuple[Path, Recorder], tiny_data: Path) -> None:
    bundle, _ = open_run(trained[0], CPU)
    row = evaluate_speech(bundle, tiny_data / "weights", {})[0]
    assert row.numbers["files"] == 8
    with pytest.raises(UniTalkerError, match="no sound"):
        evaluate_speech(bundle, trained[0], {})


def test_the_log_of_a_run_is_json_lines(trained: tuple[Path, Recorder]) -> None:
    run, _ = trained
    assert json.loads((run / "run.json").read_text())["data_root"]

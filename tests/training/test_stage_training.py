"""What a step does to the weights, however it is spread, and which weights a stage leaves behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.errors import UniTalkerError
from training.batches import Loader, Spread
from training.checkpoint import Checkpoint, Position, load_checkpoint, save_checkpoint
from training.config import EarlyStop, JointStage, Recipe, Stage
from training.distributed import Processes
from training.export import open_run
from training.observer import EpochReport, Observer
from training.places import Places
from training.run_log import read_log
from training.runs import begin
from training.stage_training import StageTraining
from training.store import Entry, Progress
from training.trainer import CHECKPOINT, Material, Trainer

CPU = torch.device("cpu")
Gradients = dict[str, torch.Tensor]


def silent(_name: str) -> Progress:
    return lambda _done, _what: None


@pytest.fixture(scope="module")
def steady_recipe(tiny_recipe: Recipe) -> Recipe:
    """Without dropout, which differs between processes."""
    return tiny_recipe.model_copy(update={"decoder": tiny_recipe.decoder.model_copy(update={"dropout": 0.0})})


@pytest.fixture(scope="module")
def places(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places(tiny_data, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def material(steady_recipe: Recipe, places: Places, tmp_path_factory: pytest.TempPathFactory) -> Material:
    material = begin(steady_recipe, tmp_path_factory.mktemp("run"), places, CPU, silent)
    torch.manual_seed(0)
    for parameter in material.model.out_head_dict.parameters():
        # Heads begin at zero, where the decoder would get no gradient.
        torch.nn.init.normal_(parameter, std=0.1)
    return material


def longest_and_shortest(material: Material, head: str, count: int) -> list[Entry]:
    """Sequences of most unequal length, where a mean of means would be most wrong."""
    ordered = sorted(material.training.of_head(head), key=lambda entry: entry.frames)
    return [*ordered[: count // 2], *ordered[-(count - count // 2) :]]


def gradients(material: Material, stage: Stage, head: str, processes: Processes, count: int) -> tuple[float, Gradients]:
    """Mean loss of a step and its gradients by parameter; those without one are left out."""
    material.model.zero_grad(set_to_none=True)
    training = StageTraining(material.model, material.losses, stage, processes)
    from_audio = isinstance(stage, JointStage)
    loader = Loader(material.training, material.spec.identities, 0.5, stage.crop_seconds, from_audio)
    spread = Spread(processes.number, processes.count, stage.accumulate)
    parts = loader.load_parts(longest_and_shortest(material, head, count), np.random.default_rng(3), spread)
    material.model.train()
    loss = training.gradients(parts)
    return loss, {
        name: value.grad.clone() for name, value in material.model.named_parameters() if value.grad is not None
    }


def assert_same_gradients(found: Gradients, expected: Gradients) -> None:
    assert found.keys() == expected.keys()
    assert len(expected) > 10
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5 * float(value.abs().max()), msg=name)


@pytest.mark.parametrize("head", ["tiny_weight", "tiny_vertices"])
@pytest.mark.parametrize("stage", ["warm_up", "joint"])
def test_a_batch_in_parts_has_the_gradients_of_the_whole(material: Material, stage: str, head: str) -> None:
    whole = getattr(material.recipe, stage).model_copy(update={"crop_seconds": 30.0})
    loss, expected = gradients(material, whole, head, Processes(CPU), 4)
    parts = whole.model_copy(update={"accumulate": 3})
    loss_of_parts, found = gradients(material, parts, head, Processes(CPU), 4)
    assert loss_of_parts == pytest.approx(loss, rel=1e-5)
    assert_same_gradients(found, expected)


PROCESS = """
import sys
from pathlib import Path
import torch
from tests.training.test_stage_training import CPU, gradients, silent
from training.distributed import Processes
from training.places import Places
from training.runs import take_up
from training.trainer import Material

run, out = map(Path, sys.argv[1:])
processes = Processes(CPU)
assert processes.count == 2
material, _ = take_up(run, CPU, silent)
found = {
    (name, head, count): gradients(material, getattr(material.recipe, name), head, processes, count)
    for name in ("warm_up", "joint")
    for head in ("tiny_weight", "tiny_vertices")
    for count in (1, 3)
}
torch.save(found, out / f"{processes.number}.pt")
"""


def test_two_processes_have_the_gradients_of_one(material: Material, places: Places, tmp_path: Path) -> None:
    """Of every parameter, heads included, over gloo; of 3 sequences one has more, of 1 one has none."""
    run = tmp_path / "run"
    fresh = begin(material.recipe, run, places, CPU, silent)
    weights = material.model.state_dict()
    checkpoint = Checkpoint(fresh.recipe, fresh.spec, Position(), weights, data=fresh.data)
    save_checkpoint(checkpoint, run / CHECKPOINT)
    run_two(["-c", PROCESS, str(run), str(tmp_path)])
    for process in (0, 1):
        for (name, head, count), (loss, values) in torch.load(tmp_path / f"{process}.pt").items():
            stage = getattr(material.recipe, name)
            expected_loss, expected = gradients(material, stage, head, Processes(CPU), count)
            assert loss == pytest.approx(expected_loss, rel=1e-5)
            assert_same_gradients(values, expected)
            other = "tiny_vertices" if head == "tiny_weight" else "tiny_weight"
            assert not any(parameter.startswith(f"out_head_dict.{other}.") for parameter in values)


def run_two(arguments: list[str]) -> None:
    """Two processes as torchrun would start them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    root = Path(__file__).resolve().parents[2]
    common = {**os.environ, "PYTHONPATH": str(root), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true"}
    processes = [
        subprocess.Popen(
            [sys.executable, *arguments],
            env={**common, "RANK": str(number), "LOCAL_RANK": str(number)},
            cwd=root,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(errors)


class Recorder(Observer):
    def __init__(self) -> None:
        self.epochs: list[EpochReport] = []
        self.notes: list[str] = []

    def epoch(self, report: EpochReport) -> None:
        self.epochs.append(report)

    def note(self, text: str) -> None:
        self.notes.append(text)


def train(recipe: Recipe, run: Path, places: Places, **changes: object) -> Recorder:
    """A warm-up alone with changed settings."""
    recorder = Recorder()
    warm_up = recipe.warm_up.model_copy(update=changes)
    changed = recipe.model_copy(update={"warm_up": warm_up, "joint": recipe.joint.model_copy(update={"epochs": 0})})
    Trainer(begin(changed, run, places, CPU, silent), run, CPU, recorder).fit()
    return recorder


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns_as_well(precision: str, steady_recipe: Recipe, places: Places, tmp_path: Path) -> None:
    single = train(steady_recipe, tmp_path / "fp32", places, epochs=3).epochs
    half = train(steady_recipe, tmp_path / "half", places, epochs=3, precision=precision).epochs
    weights = load_checkpoint(tmp_path / "half" / CHECKPOINT).model
    assert all(value.dtype == torch.float32 for value in weights.values() if value.is_floating_point())
    assert half[-1].training != single[-1].training
    for head, loss in single[-1].training.items():
        # The first steps of fp16 only find the scale of the gradients.
        assert half[-1].training[head] == pytest.approx(loss, rel=0.05 if precision == "bf16" else 0.2)


def test_averaged_weights_are_what_is_evaluated_and_exported(
    steady_recipe: Recipe, places: Places, tmp_path: Path
) -> None:
    """By the definition: an average over all steps in which each later step counts 1 / decay times as much."""
    trained: list[Gradients] = []

    class Weights(Recorder):
        def step(self, _report: object) -> None:
            model = material.model
            trained.append({name: value.detach().clone() for name, value in model.out_head_dict.named_parameters()})

    warm_up = steady_recipe.warm_up.model_copy(update={"epochs": 1, "average": 0.5})
    recipe = steady_recipe.model_copy(
        update={"warm_up": warm_up, "joint": steady_recipe.joint.model_copy(update={"epochs": 0})}
    )
    material = begin(recipe, tmp_path, places, CPU, silent)
    # A copy, for it goes on changing.
    initial = {name: value.detach().clone() for name, value in material.model.out_head_dict.named_parameters()}
    Trainer(material, tmp_path, CPU, Weights()).fit()
    expected = initial
    for step, weights in enumerate(trained):
        decay = min(0.5, (1 + step) / (10 + step))
        expected = {name: decay * value + (1 - decay) * weights[name] for name, value in expected.items()}
    exported = open_run(tmp_path, CPU)[0].model.out_head_dict.state_dict()
    for name, value in expected.items():
        torch.testing.assert_close(exported[name], value)
        assert not torch.equal(exported[name], trained[-1][name])


def test_an_interrupted_stage_is_exported_with_its_averages(
    steady_recipe: Recipe, places: Places, tmp_path: Path
) -> None:
    class StopError(Exception):
        pass

    class Stop(Observer):
        def epoch(self, report: EpochReport) -> None:
            raise StopError

    recipe = steady_recipe.model_copy(
        update={"warm_up": steady_recipe.warm_up.model_copy(update={"average": 0.9, "epochs": 3})}
    )
    with pytest.raises(StopError):
        Trainer(begin(recipe, tmp_path, places, CPU, silent), tmp_path, CPU, Stop()).fit()
    checkpoint = load_checkpoint(tmp_path / CHECKPOINT)
    name = "out_head_dict.tiny_weight.weight"
    exported = open_run(tmp_path, CPU)[0].model.state_dict()
    torch.testing.assert_close(exported[name], checkpoint.stage.average[name])
    assert not torch.equal(exported[name], checkpoint.model[name])


def test_a_stage_ends_when_the_named_metric_stalls_and_keeps_the_best_weights(
    steady_recipe: Recipe, places: Places, tmp_path: Path
) -> None:
    """With a rate that is far too high from the beginning the validation loss soon only gets worse."""
    optimiser = steady_recipe.warm_up.optimiser.model_copy(update={"learning_rate": 0.05, "schedule": "constant"})
    stop = EarlyStop(metric="tiny_weight", patience=2)
    recorder = train(steady_recipe, tmp_path, places, epochs=40, optimiser=optimiser, early_stop=stop)
    losses = [report.validation["tiny_weight"] for report in recorder.epochs]
    assert len(losses) < 40
    assert int(np.argmin(losses)) == len(losses) - 1 - stop.patience
    assert [report.metric for report in recorder.epochs] == losses
    assert recorder.epochs[int(np.argmin(losses))].best
    assert f"epoch {int(np.argmin(losses)) + 1}" in recorder.notes[0]

    checkpoint = load_checkpoint(tmp_path / CHECKPOINT)
    material = begin(checkpoint.recipe, tmp_path / "again", places, CPU, silent)
    material.model.load_state_dict(checkpoint.model)
    training = StageTraining(material.model.eval(), material.losses, checkpoint.recipe.warm_up, Processes(CPU))
    loader = Loader(material.validation, material.spec.identities, 0.0, None, False)
    again = [
        training.loss(loader.load([entry], np.random.default_rng(0)))
        for entry in material.validation.of_head("tiny_weight")
    ]
    assert np.mean(again) == pytest.approx(min(losses), rel=1e-6)


def test_a_metric_without_validation_clips_is_named_before_training(
    steady_recipe: Recipe, places: Places, tmp_path: Path
) -> None:
    stop = EarlyStop(metric="tiny_weight")
    warm_up = steady_recipe.warm_up.model_copy(update={"early_stop": stop})
    material = begin(steady_recipe.model_copy(update={"warm_up": warm_up}), tmp_path, places, CPU, silent)
    material.validation.entries = material.validation.of_head("tiny_vertices")
    with pytest.raises(UniTalkerError, match="no validation clips of tiny_weight"):
        Trainer(material, tmp_path, CPU).fit()


def test_the_convolutional_front_end_is_never_trained(steady_recipe: Recipe, places: Places, tmp_path: Path) -> None:
    material = begin(steady_recipe, tmp_path, places, CPU, silent)
    stage = steady_recipe.joint.model_copy(update={"first_layer": 0})
    StageTraining(material.model, material.losses, stage, Processes(CPU))
    frozen = {name for name, value in material.model.audio_encoder.named_parameters() if not value.requires_grad}
    assert {name.split(".")[0] for name in frozen} == {"conv1", "conv2", "embed_positions"}


def test_a_recipe_is_the_same_training_in_two_processes(steady_recipe: Recipe, places: Places, tmp_path: Path) -> None:
    """From the command line; three sequences a step, the last step of a type has fewer."""
    stage = {"epochs": 2, "batch": 3}
    changes = {"warm_up": steady_recipe.warm_up.model_copy(update=stage), "joint": steady_recipe.joint}
    recipe = steady_recipe.model_copy(update=changes)
    alone = Recorder()
    Trainer(begin(recipe, tmp_path / "alone", places, CPU, silent), tmp_path / "alone", CPU, alone).fit()
    # JSON is YAML.
    (tmp_path / "recipe.yaml").write_text(recipe.model_dump_json())
    options = ["--out", str(tmp_path / "two"), "--data-root", str(places.data_root), "--cache", str(places.cache)]
    run_two(["-m", "backend", "train", "run", str(tmp_path / "recipe.yaml"), *options, "--device", "cpu"])
    epochs = read_log(tmp_path / "two" / "log.jsonl").epochs
    assert [(report.stage, report.steps) for report in epochs] == [
        (report.stage, report.steps) for report in alone.epochs
    ]
    for report, expected in zip(epochs, alone.epochs, strict=True):
        assert report.training == pytest.approx(expected.training, rel=2e-3)
        assert report.validation == pytest.approx(expected.validation, rel=2e-3)

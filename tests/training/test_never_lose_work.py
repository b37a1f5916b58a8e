"""Killed, told to end, out of disk space: what was trained is there, and the training goes on from it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from backend.errors import UniTalkerError
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import EarlyStop, Recipe
from training.interruption import Stopped
from training.observer import Observer, StepReport
from training.places import Places
from training.revision import git_revision
from training.run_log import read_log
from training.runs import begin, take_up
from training.store import Progress
from training.trainer import CHECKPOINT, Trainer
from training.watching import RunLog

CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[2]


def silent(_name: str) -> Progress:
    return lambda _done, _what: None


@pytest.fixture(scope="module")
def places(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places(tiny_data, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def whole(tiny_recipe: Recipe, places: Places, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    run = tmp_path_factory.mktemp("whole")
    Trainer(begin(watchful(tiny_recipe), run, places, CPU, silent), run, CPU, RunLog(run / "log.jsonl")).fit()
    return run


def watchful(recipe: Recipe) -> Recipe:
    """With everything that a checkpoint has to hold: averages, and the best epoch's weights."""
    stop = EarlyStop(metric="tiny_weight", patience=4)
    warm_up = recipe.warm_up.model_copy(update={"average": 0.9, "early_stop": stop})
    return recipe.model_copy(update={"warm_up": warm_up, "checkpoint_minutes": 1e-9})


def assert_same(run: Path, other: Path) -> None:
    """Weights to the last bit, and a log of the same epochs, each once."""
    found, expected = load_checkpoint(run / CHECKPOINT), load_checkpoint(other / CHECKPOINT)
    assert found.position.done
    assert not [name for name, value in expected.model.items() if not torch.equal(found.model[name], value)]
    epochs, same = (read_log(folder / "log.jsonl").epochs for folder in (run, other))
    curve = [(report.stage, report.epoch, report.training, report.validation, report.best) for report in epochs]
    assert curve == [(report.stage, report.epoch, report.training, report.validation, report.best) for report in same]


# Each attempt is a process forked from one that has imported everything, and killed by it.
ATTEMPTS = """
import os, random, signal, sys, time
from pathlib import Path
import torch, yaml
from training.checkpoint import load_checkpoint
from training.config import load_recipe
from training.places import Places
from training.runs import begin, take_up
from training.trainer import CHECKPOINT, Trainer
from training.watching import RunLog

run, recipe, data, cache = map(Path, sys.argv[1:5])
moments = random.Random(int(sys.argv[5]))
cpu = torch.device("cpu")
silent = lambda name: lambda done, what: None

def attempt():
    if (run / CHECKPOINT).exists():
        material, checkpoint = take_up(run, cpu, silent)
    else:
        material, checkpoint = begin(load_recipe(recipe), run, Places(data, cache), cpu, silent), None
    Trainer(material, run, cpu, RunLog(run / "log.jsonl")).fit(checkpoint)

def is_running(child):
    return os.waitpid(child, os.WNOHANG) == (0, 0)

def saved():
    return (run / CHECKPOINT).stat().st_mtime_ns if (run / CHECKPOINT).exists() else 0

for kill in range(6):
    child = os.fork()
    if child == 0:
        attempt()
        os._exit(0)
    # The first is killed in the preparation, the others a moment after a random step: computing, loading or saving.
    for _ in range(moments.randint(1, 9) if kill else 0):
        before = saved()
        while saved() == before:
            time.sleep(0.0005)
            assert is_running(child), "ended before it was killed"
    time.sleep(moments.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
attempt()
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_training_killed_again_and_again_ends_in_the_same_weights_and_log(
    whole: Path, places: Places, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    # Other moments each time; a failure tells which.
    seed = secrets.randbelow(1_000_000)
    arguments = [run, whole / "recipe.yaml", places.data_root, places.cache, seed]
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"moments of seed {seed}: {done.stderr}"
    assert_same(run, whole)
    assert {file.name for file in run.iterdir()} == {file.name for file in whole.iterdir()}


class SignalAt(Observer):
    """Sends this process a signal during a step."""

    def __init__(self, step: int, number: signal.Signals) -> None:
        self._left = step
        self._number = number
        self.last = StepReport("warm_up", 0, 0, 0, "", 0.0, 0.0)

    def step(self, report: StepReport) -> None:
        self.last = report
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), self._number)


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_training_that_is_told_to_end_saves_its_last_step(
    number: signal.Signals, whole: Path, tiny_recipe: Recipe, places: Places, tmp_path: Path
) -> None:
    recipe = watchful(tiny_recipe).model_copy(update={"checkpoint_minutes": 60.0})
    watcher = SignalAt(13, number)
    before = signal.getsignal(number)
    with pytest.raises(Stopped, match=f"{number.name} after step 13 of warm_up") as caught:
        Trainer(begin(recipe, tmp_path, places, CPU, silent), tmp_path, CPU, watcher).fit()
    assert caught.value.exit_code == 128 + number
    assert "resume" in caught.value.hint
    assert signal.getsignal(number) == before
    assert watcher.last.done == 13
    material, checkpoint = take_up(tmp_path, CPU, silent)
    assert sum(checkpoint.tally.steps.values()) == 13 - 8
    Trainer(material, tmp_path, CPU, RunLog(tmp_path / "log.jsonl")).fit(checkpoint)
    assert_same(tmp_path, whole)


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_the_command_ends_with_the_exit_code_of_the_signal(whole: Path, places: Places, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    content = json.loads(load_checkpoint(whole / CHECKPOINT).recipe.model_dump_json())
    # JSON is YAML. Longer than anybody waits.
    recipe.write_text(json.dumps(content | {"warm_up": content["warm_up"] | {"epochs": 5000, "early_stop": None}}))
    command = [sys.executable, "-m", "backend", "train", "run", str(recipe), "--device", "cpu"]
    command += ["--data-root", str(places.data_root), "--cache", str(places.cache), "--out", str(tmp_path / "run")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "epoch 1," in line:
                process.send_signal(signal.SIGTERM)
                break
        rest = process.stderr.read()
        assert process.wait(60) == 128 + signal.SIGTERM, rest
    assert "Stopped by SIGTERM" in rest
    assert "Traceback" not in rest
    assert load_checkpoint(tmp_path / "run" / CHECKPOINT).history


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 20 kB, as on a disk that is nearly full."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_the_checkpoint_before(whole: Path, tmp_path: Path, small_files: None) -> None:
    path = tmp_path / CHECKPOINT
    path.write_bytes(b"the one before")
    with pytest.raises(UniTalkerError, match=r"cannot be written: File too large.*untouched") as caught:
        save_checkpoint(load_checkpoint(whole / CHECKPOINT), path)
    assert caught.value.code == "checkpoint.unwritable"
    assert path.read_bytes() == b"the one before"
    assert [file.name for file in tmp_path.iterdir()] == [CHECKPOINT]


def test_after_a_diverged_step_the_checkpoint_is_good(
    whole: Path, tiny_recipe: Recipe, places: Places, tmp_path: Path
) -> None:
    """A gradient that is no number spoils the weights after a loss that was one; that is never saved."""

    class Spoil(Observer):
        def step(self, report: StepReport) -> None:
            if report.done == 11:
                with torch.no_grad():
                    material.model.decoder.audio_feature_map.weight[0, 0] = torch.nan

    material = begin(watchful(tiny_recipe), tmp_path, places, CPU, silent)
    with pytest.raises(UniTalkerError, match="no longer numbers") as caught:
        Trainer(material, tmp_path, CPU, Spoil()).fit()
    assert caught.value.code == "training.diverged"
    again, checkpoint = take_up(tmp_path, CPU, silent)
    assert checkpoint.position.epoch == 1
    assert checkpoint.position.batch == 2
    Trainer(again, tmp_path, CPU, RunLog(tmp_path / "log.jsonl")).fit(checkpoint)
    assert_same(tmp_path, whole)


def test_data_that_changed_are_named_on_resume(tiny_recipe: Recipe, tiny_data: Path, tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(tiny_data, data)
    places = Places(data, tmp_path / "cache")
    recipe = tiny_recipe.model_copy(update={"warm_up": tiny_recipe.warm_up.model_copy(update={"epochs": 1})})
    Trainer(begin(recipe, run, places, CPU, silent), run, CPU).fit()
    take_up(run, CPU, silent)
    (data / "weights/clips/w3.npy").unlink()
    with (data / "mesh/clips/m1.flac").open("ab") as file:
        file.write(b"more")
    with pytest.raises(UniTalkerError) as caught:
        take_up(run, CPU, silent)
    assert caught.value.code == "run.data_changed"
    # A clip without its motion is left out whole.
    assert "W: clips/w3.flac and 1 more are missing" in caught.value.message
    assert "M: clips/m1.flac is of another size" in caught.value.message


def test_stored_features_belong_to_the_files_they_were_made_from(
    tiny_recipe: Recipe, tiny_data: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(tiny_data, data)
    places = Places(data, tmp_path / "cache")
    before = begin(tiny_recipe, tmp_path / "one", places, CPU, silent).training.entries
    (data / "weights/clips/w3.npy").unlink()
    after = begin(tiny_recipe, tmp_path / "two", places, CPU, silent).training.entries
    files = {head: {entry.file for entry in after if entry.head == head} for head in ("tiny_weight", "tiny_vertices")}
    assert any("w3" in entry.name for entry in before)
    assert not any("w3" in entry.name for entry in after)
    assert files["tiny_vertices"] == {entry.file for entry in before if entry.head == "tiny_vertices"}


def test_a_checkpoint_of_another_version_says_so(whole: Path, tmp_path: Path) -> None:
    content = torch.load(whole / CHECKPOINT, weights_only=True)
    torch.save(content | {"format": 99, "revision": "0123abc"}, tmp_path / CHECKPOINT)
    with pytest.raises(UniTalkerError, match=r"format 99.*0123abc") as caught:
        load_checkpoint(tmp_path / CHECKPOINT)
    assert caught.value.code == "checkpoint.version"


def test_a_checkpoint_knows_data_and_revision(whole: Path) -> None:
    checkpoint = load_checkpoint(whole / CHECKPOINT)
    assert len(checkpoint.data) == 16
    assert checkpoint.revision == git_revision()


def test_outside_a_checkout_there_is_no_revision(tmp_path: Path) -> None:
    shutil.copy(ROOT / "training/revision.py", tmp_path)
    code = "import revision; print(revision.git_revision())"
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "None"

"""What those who watch a training are shown and what they keep, also when it is killed."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from training.config import Recipe
from training.console import training_console
from training.observer import EpochReport, History, Observer, StepReport
from training.places import Places
from training.run_log import LOG_FILE, STEPS_BETWEEN_LINES, RunLog, read_log
from training.runs import begin, take_up
from training.tensorboard import TENSORBOARD_FOLDER
from training.trainer import Trainer
from training.watching import Observers, watch

CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[2]

BARS = """
import time
from training.work_progress import ProgressLines
with ProgressLines() as lines:
    for done in range(1, 5):
        lines.update("encode", done, 4, "a clip")
        time.sleep(0.2)
    lines.say("an epoch " + "x" * 200)
"""


class InterruptAt(Observer):
    """Raises after so many steps, like Ctrl-C."""

    def __init__(self, step: int) -> None:
        self.left = step

    def step(self, report: StepReport) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def step(done: int) -> StepReport:
    return StepReport("warm_up", 0, done, 1000, "mesh", 1.0, 1e-4)


def scalars(run: Path) -> list[tuple[str, str, int]]:
    """Stage, tag and step of everything that the event files hold, whether TensorBoard would show it or not."""
    found = []
    for file in sorted((run / TENSORBOARD_FOLDER).glob("*/events*")):
        for event in EventFileLoader(str(file)).Load():
            found += [(file.parent.name, value.tag, event.step) for value in event.summary.value]
    return found


def test_an_interrupted_run_has_each_moment_once(tiny_recipe: Recipe, tiny_data: Path, tmp_path: Path) -> None:
    places, run = Places(tiny_data, tmp_path / "cache"), tmp_path / "run"
    material = begin(tiny_recipe, run, places, CPU, lambda _name: lambda _done, _what: None)
    with pytest.raises(KeyboardInterrupt), training_console() as console, watch(run, console) as observer:
        # The checkpoint is of the epoch before, so that what is interrupted is trained again.
        Trainer(material, run, CPU, Observers(observer, InterruptAt(29))).fit()
    before = read_log(run / LOG_FILE)
    with training_console() as console, watch(run, console) as observer:
        material, checkpoint = take_up(run, CPU, console.preparation)
        Trainer(material, run, CPU, observer).fit(checkpoint)
    after = read_log(run / LOG_FILE)
    assert [(epoch.stage, epoch.epoch) for epoch in after.epochs] == [("warm_up", n) for n in range(6)] + [("joint", 0)]
    assert after.epochs[: len(before.epochs)] == before.epochs
    moments = [(report.stage, report.done) for report in after.steps]
    assert moments == sorted(set(moments), key=lambda moment: (moment[0] == "joint", moment[1]))
    assert {done for _, done in moments} <= {*range(0, 1000, STEPS_BETWEEN_LINES)}
    written = scalars(run)
    assert len(written) == len(set(written))
    assert {stage for stage, _, _ in written} == {"warm_up", "joint"}
    assert len([tag for _, tag, _ in written if tag == "loss of an epoch/tiny_weight/validation"]) == 7


def test_steps_after_the_checkpoint_are_forgotten_and_earlier_ones_kept(tmp_path: Path) -> None:
    path = tmp_path / LOG_FILE
    log = RunLog(path)
    log.begin(History())
    epoch = EpochReport("warm_up", 0, {"mesh": 1.0}, {}, 1.0, steps=50)
    for done in range(1, 51):
        log.step(step(done))
    log.epoch(epoch)
    for done in range(51, 101):
        log.step(step(done))
    # Killed while it wrote a line.
    with path.open("a") as file:
        file.write('{"event": "step", "sta')
    assert [report.done for report in read_log(path).steps] == [20, 40, 60, 80, 100]
    log.begin(History((epoch,), "warm_up", 70))
    log.step(step(80))
    assert [json.loads(line).get("done", "epoch") for line in path.read_text().splitlines()] == [
        20,
        40,
        "epoch",
        60,
        80,
    ]
    assert read_log(path).damaged == 0


def test_a_log_of_a_later_version_and_a_damaged_line_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    path = tmp_path / LOG_FILE
    path.write_text(
        '{"event": "epoch", "stage": "joint", "epoch": 3, "training": {}, "validation": {}, "seconds": 1, "new": 5}\n'
        '\x00\x00\n[]\n{"event": "epoch"}\n'
    )
    logged = read_log(path)
    assert [epoch.epoch for epoch in logged.epochs] == [3]
    assert logged.damaged == 3


def test_a_log_file_gets_lines_without_bars(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FORCE_COLOR": "1"}
    run = subprocess.run([sys.executable, "-c", BARS], env=environment, capture_output=True, text=True, check=True)
    assert run.stderr.splitlines() == ["an epoch " + "x" * 200]
    assert not run.stdout


def test_a_terminal_gets_a_bar_with_the_time_left() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"}
    subprocess.run([sys.executable, "-c", BARS], env=environment, stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "encode" in shown
    assert "4/4" in shown
    assert "0:00:0" in shown

"""A whole reproduction: plans it, runs it as far as the budget goes, and writes what came out."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from backend import __version__
from training.reproduce.budget import Costs, Plan, choose_plan
from training.reproduce.document import Circumstances, write_document
from training.reproduce.running import Result, Workplace
from training.reproduce.suite import Training

PLAN_FILE = "plan.json"
RESULTS_FILE = "results.json"
_REFERENCE = "joint"
"""Training whose epochs say what an epoch is for a data set."""
_PROBE = "G4 alone"
"""Training by which the machine is timed."""

Told = Callable[[float, float, str], None]
"""Seconds of planned work done, all of it, and what is being done."""


@dataclass(frozen=True)
class Beginning:
    """How a reproduction was begun.

    Attributes:
        plan: length of the trainings.
        costs: of a step, at that time.
        machine: processor, threads, versions.
        revision: of the code.
    """

    plan: Plan
    costs: Costs
    machine: str
    revision: str

    def seconds(self, training: Training) -> float:
        """What a training is expected to take."""
        return self.plan.seconds(training, self.costs)


class Reproduction:
    """A reproduction in its folder, which may have been begun before.

    Args:
        workplace: with the suite.
        seeds: how often each training is made.
    """

    def __init__(self, workplace: Workplace, seeds: int) -> None:
        self._workplace = workplace
        self._suite = workplace.suite
        self._seeds = seeds

    def begin(self, seconds: float) -> Beginning:
        """How it was begun before in this folder, or measures the machine and plans for a budget in seconds."""
        path = self._workplace.folder / PLAN_FILE
        if path.is_file():
            content = json.loads(path.read_text(encoding="utf-8"))
            return Beginning(
                Plan(**content["plan"]), Costs(**content["costs"]), content["machine"], content["revision"]
            )
        self._workplace.prepare()
        epoch = self._workplace.epoch(_REFERENCE)
        costs = self._workplace.costs(self._suite.training(_PROBE), Plan(1, 1, epoch, 1))
        plan = choose_plan(self._suite.trainings, self._seeds, epoch, costs, seconds)
        beginning = Beginning(plan, costs, machine(), revision())
        _write(asdict(beginning), path)
        return beginning

    def run(self, beginning: Beginning, deadline: float, told: Told) -> tuple[Result, ...]:
        """Trains seed by seed what is not trained yet; a training that would not end before `deadline` is left out.

        Args:
            beginning: with the plan.
            deadline: by `time.monotonic`.
            told: about progress.
        """
        self._workplace.prepare()
        plan = beginning.plan
        everything = [(training, seed) for seed in range(1, plan.seeds + 1) for training in self._suite.trainings]
        total = sum(beginning.seconds(training) for training, _ in everything)
        done, slowness = 0.0, 1.0
        for training, seed in everything:
            expected = beginning.seconds(training)
            known = self._workplace.result(training.name, seed)
            in_time = time.monotonic() + expected * slowness <= deadline
            if known is None and in_time and self._can_start(training, seed):
                tell = _teller(told, done, expected, total, plan, training)
                result = self._workplace.run(training, seed, plan, tell)
                slowness = 0.7 * slowness + 0.3 * result.seconds / expected
            done += expected
            told(done, total, f"{training.name}, seed {seed}")
        return self.results(plan)

    def results(self, plan: Plan) -> tuple[Result, ...]:
        """Of all trainings that were finished."""
        found = [
            self._workplace.result(training.name, seed)
            for seed in range(1, plan.seeds + 1)
            for training in self._suite.trainings
        ]
        return tuple(result for result in found if result is not None)

    def write(self, beginning: Beginning, document: Path, encoder: str) -> None:
        """Writes the document, and the numbers as ``results.json`` into the folder."""
        results = self.results(beginning.plan)
        seen = Circumstances(beginning.machine, encoder, beginning.revision, beginning.plan, results)
        document.parent.mkdir(parents=True, exist_ok=True)
        document.write_text(write_document(self._suite, seen), encoding="utf-8")
        content = {**asdict(beginning), "encoder": encoder, "results": [asdict(result) for result in results]}
        _write(content, self._workplace.folder / RESULTS_FILE)

    def _can_start(self, training: Training, seed: int) -> bool:
        return training.start is None or self._workplace.result(training.start, seed) is not None


def machine() -> str:
    """Processor and versions, for people."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.machine()} processor"
    return f"{device}, {torch.get_num_threads()} threads of {os.cpu_count()} cores, PyTorch {torch.__version__}"


def revision() -> str:
    """Version, and in a checkout the commit."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return f"version {__version__}"
    return f"version {__version__}, commit {found.stdout.strip()}"


def _teller(
    told: Told, done: float, expected: float, total: float, plan: Plan, training: Training
) -> Callable[[], None]:
    """Tells after each step of a training, which counts as an even share of its planned time."""
    count = max(sum(plan.steps(training)), 1.0)
    taken = 0

    def step() -> None:
        nonlocal taken
        taken += 1
        told(done + expected * min(taken / count, 1.0), total, training.name)

    return step


def _write(content: object, path: Path) -> None:
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(json.dumps(content, indent=1), encoding="utf-8")
    unfinished.replace(path)

"""A whole reproduction: plans it, runs it as far as the budget goes, and writes what came out."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import torch

from backend import __version__
from training.reproduce.agenda import Agenda, Beginning, Told
from training.reproduce.budget import Costs, Plan, choose_plan
from training.reproduce.document import Circumstances, write_document
from training.reproduce.running import Result, Workplace
from training.reproduce.team import team

PLAN_FILE = "plan.json"
RESULTS_FILE = "results.json"
_REFERENCE = "joint"
"""Training whose epochs say what an epoch is for a data set."""
_PROBE = "G4 alone"
"""Training by which the machine is timed."""


class Reproduction:
    """A reproduction in its folder, which may have been begun before.

    Args:
        workplace: with the suite.
        seeds: how often each training is made.
        workers: trainings at the same time, each in a process with one thread; with 1, in this process.
    """

    def __init__(self, workplace: Workplace, seeds: int, workers: int = 1) -> None:
        self._workplace = workplace
        self._suite = workplace.suite
        self._seeds = seeds
        self._workers = workers

    def begin(self, seconds: float) -> Beginning:
        """How it was begun before in this folder, or measures the machine and plans for a budget in seconds.

        More seeds than before are added to what is there.
        """
        path = self._workplace.site.folder / PLAN_FILE
        if path.is_file():
            content = json.loads(path.read_text(encoding="utf-8"))
            plan = replace(Plan(**content["plan"]), seeds=self._seeds)
            return Beginning(plan, Costs(**content["costs"]), content["machine"], content["revision"])
        self._workplace.prepare()
        epoch = self._workplace.epoch(_REFERENCE)
        costs = self._workplace.costs(self._suite.training(_PROBE), Plan(1, 1, epoch, 1))
        plan = choose_plan(self._suite.trainings, self._seeds, epoch, costs, seconds)
        beginning = Beginning(plan, costs, machine(), revision())
        _write(asdict(beginning), path)
        return beginning

    def seconds_left(self, beginning: Beginning) -> float:
        """What the trainings that are not finished are expected to take, one after the other."""
        return sum(
            beginning.seconds(training)
            for seed in range(1, beginning.plan.seeds + 1)
            for training in self._suite.trainings
            if self._workplace.result(training.name, seed) is None
        )

    def run(self, beginning: Beginning, deadline: float, told: Told) -> tuple[Result, ...]:
        """Trains seed by seed what is not trained yet; a training that would not end before `deadline` is left out.

        Args:
            beginning: with the plan.
            deadline: by `time.monotonic`.
            told: about progress.
        """
        self._workplace.prepare()
        agenda = Agenda(self._workplace, beginning, deadline, told)
        if self._workers == 1:
            while (task := agenda.next_task()) is not None:
                agenda.done(self._workplace.run(*task, beginning.plan, agenda.teller(*task)))
        else:
            with team(self._workplace.site, self._workers, beginning.plan) as workers:
                workers.run(agenda.next_task, agenda.done)
        return self.results(beginning.plan)

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
        means = self._workplace.mean_faces()
        seen = Circumstances(beginning.machine, encoder, beginning.revision, beginning.plan, results, means)
        document.parent.mkdir(parents=True, exist_ok=True)
        document.write_text(write_document(self._suite, seen), encoding="utf-8")
        content = {
            **asdict(beginning),
            "encoder": encoder,
            "mean_faces": means,
            "results": [asdict(result) for result in results],
        }
        _write(content, self._workplace.site.folder / RESULTS_FILE)


def machine() -> str:
    """Processor and version of PyTorch, for people."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.machine()} processor"
    return f"{device}, {os.cpu_count()} cores, PyTorch {torch.__version__}"


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


def _write(content: object, path: Path) -> None:
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(json.dumps(content, indent=1), encoding="utf-8")
    unfinished.replace(path)

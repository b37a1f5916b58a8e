"""Which training comes next, what does not fit any more, and how much of everything is done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from training.reproduce.budget import Costs, Plan
from training.reproduce.running import Result, Workplace
from training.reproduce.suite import Training

Told = Callable[[float, float, str], None]
"""Seconds of planned work done, all of it, and what was done last."""

_MEMORY = 0.7
"""Weight of what is known of the machine's pace beside its last training."""


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


class Agenda:
    """The trainings of a reproduction that are still to be made, seed by seed.

    Args:
        workplace: knows what is done.
        beginning: with the plan.
        deadline: by `time.monotonic`; a training that would not end before it is left out.
        told: about progress.
    """

    def __init__(self, workplace: Workplace, beginning: Beginning, deadline: float, told: Told) -> None:
        self._workplace = workplace
        self._beginning = beginning
        self._deadline = deadline
        self._told = told
        everything = [
            (training, seed) for seed in range(1, beginning.plan.seeds + 1) for training in workplace.suite.trainings
        ]
        self._waiting = [task for task in everything if workplace.result(task[0].name, task[1]) is None]
        self._running: set[tuple[str, int]] = set()
        self._total = sum(beginning.seconds(training) for training, _ in everything)
        self._left = sum(beginning.seconds(training) for training, _ in self._waiting)
        self._slowness = 1.0

    def next_task(self) -> tuple[Training, int] | None:
        """The first training that can be begun now; ``None`` if none can, or none before another has ended."""
        for training, seed in list(self._waiting):
            if self._waits(training, seed):
                continue
            self._waiting.remove((training, seed))
            if self._can_start(training, seed) and self._fits(training):
                self._running.add((training.name, seed))
                return training, seed
            self._left -= self._beginning.seconds(training)
        return None

    def done(self, result: Result) -> None:
        """A training has ended."""
        self._running.discard((result.training, result.seed))
        expected = self._beginning.seconds(self._workplace.suite.training(result.training))
        self._slowness = _MEMORY * self._slowness + (1 - _MEMORY) * result.seconds / expected
        self._left -= expected
        self._told(self._total - self._left, self._total, f"{result.training}, seed {result.seed}")

    def teller(self, training: Training, seed: int) -> Callable[[], None]:
        """To be called after each step of a training, which counts as an even share of its time."""
        steps = max(sum(self._beginning.plan.steps(training)), 1.0)
        taken = 0

        def step() -> None:
            nonlocal taken
            taken += 1
            share = self._beginning.seconds(training) * min(taken / steps, 1.0)
            self._told(self._total - self._left + share, self._total, f"{training.name}, seed {seed}")

        return step

    def _waits(self, training: Training, seed: int) -> bool:
        """Whether the training that this one starts from is still to come."""
        return training.start is not None and (
            (training.start, seed) in self._running
            or any((other.name, other_seed) == (training.start, seed) for other, other_seed in self._waiting)
        )

    def _can_start(self, training: Training, seed: int) -> bool:
        if training.start is None:
            return True
        found = self._workplace.result(training.start, seed)
        return found is not None and not found.diverged

    def _fits(self, training: Training) -> bool:
        return time.monotonic() + self._beginning.seconds(training) * self._slowness <= self._deadline

"""How long every training may be so that all of them fit into the budget.

All trainings take the same number of steps for each data set they see (times their effort), so that what is compared
differs in nothing but the variant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backend.errors import UniTalkerError
from training.reproduce.suite import Training

_SHARE_PLANNED = 0.75
"""Of the budget; the rest is for a machine that gets busier."""
_SHARE_JOINT = 0.75
"""Of the time of steps that goes to joint training, as far as whole epochs allow."""
_FEWEST_WARM_UP, _MOST_WARM_UP = 2, 8
_MEANINGFUL_STEPS = 100
_UNITS = {"h": 3600.0, "m": 60.0, "min": 60.0, "s": 1.0}


@dataclass(frozen=True)
class Costs:
    """Measured on this machine.

    Attributes:
        warm_up: seconds per step with the encoder frozen.
        joint: seconds per step through the encoder.
        training: seconds of a training beside its steps: reading data, PCA, evaluation.
    """

    warm_up: float
    joint: float
    training: float


@dataclass(frozen=True)
class Plan:
    """Length of all trainings.

    Attributes:
        warm_up: epochs of the decoder warm-up.
        joint: epochs of joint training.
        epoch: steps that an epoch means for each data set.
        seeds: how often everything is trained.
    """

    warm_up: int
    joint: int
    epoch: float
    seeds: int

    def steps(self, training: Training) -> tuple[float, float]:
        """Steps of the warm-up and of the joint stage; whole epochs of its data may round them."""
        unit = self.epoch * len(training.parts) * training.effort
        warm_up, joint = unit * self.warm_up, unit * self.joint
        if not training.warm_up:
            return 0.0, warm_up + joint
        return (warm_up, joint) if training.joint else (warm_up + joint, 0.0)

    def seconds(self, training: Training, costs: Costs) -> float:
        """What a training is expected to take."""
        warm_up, joint = self.steps(training)
        return costs.training + warm_up * costs.warm_up + joint * costs.joint

    @property
    def is_meaningful(self) -> bool:
        """Whether a model of one set gets enough steps to learn anything from."""
        return self.epoch * (self.warm_up + self.joint) >= _MEANINGFUL_STEPS


def choose_plan(trainings: Sequence[Training], seeds: int, epoch: float, costs: Costs, seconds: float) -> Plan:
    """The longest trainings that fit; the shortest sensible ones if none do.

    Args:
        trainings: of the suite.
        seeds: how often each.
        epoch: steps that an epoch means for each data set.
        costs: of this machine.
        seconds: budget.
    """

    def total(warm_up: int, joint: int) -> float:
        plan = Plan(warm_up, joint, epoch, seeds)
        return seeds * sum(plan.seconds(training, costs) for training in trainings)

    fixed = total(0, 0)
    per_warm_up, per_joint = total(1, 0) - fixed, total(0, 1) - fixed
    available = _SHARE_PLANNED * seconds - fixed
    joint = max(int((_SHARE_JOINT * available - _FEWEST_WARM_UP * per_warm_up) / per_joint), 1)
    warm_up = int((available - joint * per_joint) / per_warm_up)
    return Plan(min(max(warm_up, _FEWEST_WARM_UP), _MOST_WARM_UP * joint), joint, epoch, seeds)


def whole_epochs(steps: float, batches: int) -> int:
    """Epochs of so many batches that come nearest to so many steps, at least one; none for no steps."""
    return max(round(steps / batches), 1) if steps else 0


def parse_budget(text: str) -> float:
    """Seconds of ``2h``, ``75min``, ``1.5h`` or ``90m``.

    Raises:
        UniTalkerError: it is none of these.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(h|min|m|s)", text.strip())
    if match is None or not float(match[1]):
        raise UniTalkerError("reproduce.budget", f"{text!r} is not a time.", "Write for example 2h or 75min.")
    return float(match[1]) * _UNITS[match[2]]

"""Weight averaging: a second set of weights that follows the trained one slowly and does better on new data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

_FIRST_STEPS = 10


class WeightAverage:
    """Exponential moving average of parameters.

    Args:
        parameters: by name; only these are averaged.
        decay: share that stays at each step; at first less, so that the random beginning is soon forgotten.
    """

    def __init__(self, parameters: dict[str, nn.Parameter], decay: float) -> None:
        self._parameters = parameters
        self._decay = decay
        self._steps = 0
        self._averages = [parameter.detach().clone() for parameter in parameters.values()]

    def update(self) -> None:
        """Follows the parameters after a step."""
        decay = min(self._decay, (1 + self._steps) / (_FIRST_STEPS + self._steps))
        self._steps += 1
        follow = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        follow(self._averages, list(self._parameters.values()), self._steps)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the parameters have their averages for values."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> dict[str, Any]:
        """Averages by name, and ``steps``."""
        return {"steps": self._steps, **dict(zip(self._parameters, self._averages, strict=True))}

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes over what `state` gave."""
        self._steps = state["steps"]
        for name, average in zip(self._parameters, self._averages, strict=True):
            average.copy_(state[name])

    @torch.no_grad()
    def _swap(self) -> None:
        for parameter, average in zip(self._parameters.values(), self._averages, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(kept)

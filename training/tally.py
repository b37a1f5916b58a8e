"""What adds up during an epoch; part of a checkpoint, so that an interrupted epoch is reported whole."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Tally:
    """Sums over the steps of an epoch.

    Attributes:
        losses: by head, sum of the steps' losses.
        steps: by head, how many.
        seconds: spent on the epoch.
        loading_seconds: of these, waiting for data.
    """

    losses: dict[str, float] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    loading_seconds: float = 0.0

    def add(self, head: str, loss: float, seconds: float, loading_seconds: float) -> None:
        """One step."""
        self.losses[head] = self.losses.get(head, 0.0) + loss
        self.steps[head] = self.steps.get(head, 0) + 1
        self.seconds += seconds
        self.loading_seconds += loading_seconds

    @property
    def means(self) -> dict[str, float]:
        """Mean loss by head."""
        return {head: total / self.steps[head] for head, total in self.losses.items()}

    @property
    def steps_per_second(self) -> float:
        return sum(self.steps.values()) / self.seconds if self.seconds else 0.0

    @property
    def loading_share(self) -> float:
        return self.loading_seconds / self.seconds if self.seconds else 0.0

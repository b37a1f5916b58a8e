"""What is run in steps: at once in the background, by a timer while the user goes on working in a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Report:
    """What a finished job did: one sentence, and remarks that the user should see."""

    summary: str
    warnings: tuple[str, ...]


class Job(Protocol):
    """Work in steps. After `step` has returned True, either `cancelled` is true or `report` says what was done."""

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1."""

    @property
    def text(self) -> str:
        """What is being done."""

    @property
    def cancelled(self) -> bool:
        """Whether the job ended because it was cancelled."""

    @property
    def report(self) -> Report | None:
        """What was done, at the end."""

    def step(self, wait: float = 0.0) -> bool:
        """Go on, waiting for news up to `wait` seconds; True at the end. UniTalkerError when it fails."""

    def cancel(self) -> None:
        """Ask for an early end; it comes with one of the next steps."""

    def close(self) -> None:
        """Forget the job, finished or not."""

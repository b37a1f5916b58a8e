"""``log.jsonl`` of a run: a line for every epoch and for every so many steps, each moment once, however often the
training was interrupted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from backend.export.atomic import atomic_write
from training.observer import EpochReport, History, Observer, StageName, StepReport

LOG_FILE = "log.jsonl"
STEPS_BETWEEN_LINES = 20

_STAGES: tuple[StageName, ...] = ("warm_up", "joint")


@dataclass(frozen=True)
class LoggedRun:
    """What a log holds, in the order in which it happened.

    Attributes:
        epochs: all of them.
        steps: one in `STEPS_BETWEEN_LINES`.
        damaged: how many lines could not be read.
    """

    epochs: tuple[EpochReport, ...] = ()
    steps: tuple[StepReport, ...] = ()
    damaged: int = 0


class RunLog(Observer):
    """Writes the log.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, history: History) -> None:
        """Writes the log anew: what was lost with a killed process is left out, for it comes again."""
        kept = [step for step in read_log(self._path).steps if not _is_later(step, history)]
        moments: list[EpochReport | StepReport] = [*kept, *history.epochs]
        moments.sort(key=_moment)
        with atomic_write(self._path) as file:
            file.write(_lines(moments).encode())

    def step(self, report: StepReport) -> None:
        if report.done % STEPS_BETWEEN_LINES == 0:
            self._append(report)

    def epoch(self, report: EpochReport) -> None:
        self._append(report)

    def _append(self, report: EpochReport | StepReport) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_lines([report]))


def read_log(path: Path) -> LoggedRun:
    """What a log holds so far; nothing if there is no log yet."""
    if not path.is_file():
        return LoggedRun()
    epochs: list[EpochReport] = []
    steps: list[StepReport] = []
    damaged = 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            content = json.loads(line)
            if content.pop("event") == "epoch":
                epochs.append(_known_fields(EpochReport, content))
            else:
                steps.append(_known_fields(StepReport, content))
        except (ValueError, KeyError, TypeError, AttributeError):
            # Most likely the last line of a process that was killed while it wrote.
            damaged += 1
    return LoggedRun(tuple(epochs), tuple(steps), damaged)


def _known_fields(kind: Any, content: dict[str, Any]) -> Any:
    """A report from a line; a later version may have written more of it."""
    return kind(**{field.name: content[field.name] for field in fields(kind) if field.name in content})


def _lines(reports: Iterable[EpochReport | StepReport]) -> str:
    return "".join(
        json.dumps({"event": "epoch" if isinstance(report, EpochReport) else "step", **asdict(report)}) + "\n"
        for report in reports
    )


def _moment(report: EpochReport | StepReport) -> tuple[int, int, bool]:
    """Sorts by time; an epoch ends after its last step."""
    if isinstance(report, EpochReport):
        return _STAGES.index(report.stage), report.steps, True
    return _STAGES.index(report.stage), report.done, False


def _is_later(step: StepReport, history: History) -> bool:
    return (_STAGES.index(step.stage), step.done) > (_STAGES.index(history.stage), history.steps)

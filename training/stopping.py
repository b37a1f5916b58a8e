"""Which epoch was best, and when to end a stage that no longer gets better."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from backend.errors import UniTalkerError
from training.config import EarlyStop, Stage
from training.observer import EpochReport, StageName


def validation_metric(validation: dict[str, float], settings: EarlyStop | None) -> float | None:
    """The number by which a stage is judged, lower is better; ``None`` without validation sequences.

    Args:
        validation: loss by head.
        settings: name the metric; the mean over heads without them.
    """
    if settings is not None and settings.metric != "mean":
        return validation.get(settings.metric)
    return float(np.mean(list(validation.values()))) if validation else None


def is_best(metric: float | None, earlier: Iterable[EpochReport]) -> bool:
    """Whether no epoch before was as good."""
    return metric is not None and all(report.metric is None or metric < report.metric for report in earlier)


def has_stalled(epochs: list[EpochReport], settings: EarlyStop | None) -> bool:
    """Whether a stage with these epochs should end."""
    if settings is None:
        return False
    since_best = next((count for count, report in enumerate(reversed(epochs)) if report.best), 0)
    return since_best >= settings.patience


def check_metric(stage: Stage, name: StageName, heads: set[str]) -> None:
    """Before hours are spent: whether there will be a metric to stop by.

    Args:
        stage: settings.
        name: of the stage.
        heads: that have validation sequences.

    Raises:
        UniTalkerError: there will be none.
    """
    settings = stage.early_stop
    if settings is None or (heads if settings.metric == "mean" else settings.metric in heads):
        return
    of_head = "" if settings.metric == "mean" else f" of {settings.metric}"
    raise UniTalkerError(
        "recipe.early_stop",
        f"{name}.early_stop: there are no validation clips{of_head} to judge by.",
        "Add a val.json to its data set, name another metric, or leave early_stop out.",
    )

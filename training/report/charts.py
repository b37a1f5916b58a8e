"""Curves and bars of the page, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from backend.annotation import Annotation
from training.channel_metrics import ChannelMeasure
from training.line_chart import COLOURS, Line, line_chart
from training.observer import EpochReport, StepReport
from training.report.face_mesh import FaceMesh, lip_curves
from training.report.held_out import HeadFindings, Passage

_CURVES = ("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel")
_MOVING = 0.01
"""Standard deviation of a channel from which on it counts as moving."""
_TRAJECTORY = (520, 250)
_ROW, _NAME_WIDTH, _BAR_WIDTH = 18, 190, 360


def loss_chart(head: str, epochs: Sequence[EpochReport]) -> str | None:
    """Mean loss of every epoch, training and validation; stages follow each other. ``None`` without an epoch."""
    numbers = list(range(1, len(epochs) + 1))
    training = [epoch.training.get(head, float("nan")) for epoch in epochs]
    validation = [epoch.validation.get(head, float("nan")) for epoch in epochs]
    lines = [Line("training", numbers, training), Line("validation", numbers, validation, 1, dashed=True)]
    lines = [line for line in lines if np.isfinite(line.y).any()]
    return line_chart(f"Loss of {head}", "epoch", "loss", lines) if lines else None


def rate_chart(epochs: Sequence[EpochReport], steps: Sequence[StepReport]) -> str | None:
    """The learning rate over the steps of all stages."""
    ends: dict[str, int] = {}
    for epoch in epochs:
        ends[epoch.stage] = max(ends.get(epoch.stage, 0), epoch.steps)
    before = {"warm_up": 0, "joint": ends.get("warm_up", 0)}
    reports = steps or [
        StepReport(epoch.stage, epoch.epoch, epoch.steps, epoch.steps, "", 0.0, epoch.learning_rate) for epoch in epochs
    ]
    if not reports:
        return None
    places = [before[report.stage] + report.done for report in reports]
    rates = [1e4 * report.learning_rate for report in reports]
    line = Line("learning rate", places, rates)
    return line_chart("Learning rate", "step", "in 1e-4", [line], (0.0, max(rates) or 1.0))


def trajectory_charts(findings: HeadFindings, passage: Passage, mesh: FaceMesh | None) -> list[str]:
    """Measured and predicted motion of a passage over each other.

    Args:
        findings: of the head.
        passage: one of its.
        mesh: of a head of vertices.
    """
    annotation = findings.annotation
    times = [passage.start + frame / passage.fps for frame in range(len(passage.truth))]
    if mesh is not None:
        curves, unit = lip_curves(mesh, passage), "mm"
    else:
        chosen = _shown_channels(annotation, findings.deviation)
        curves = {annotation.channel_names[n]: (passage.truth[:, n], passage.prediction[:, n]) for n in chosen}
        unit = annotation.unit
    return [
        line_chart(
            name,
            "seconds",
            unit,
            [Line("measured", times, truth.tolist()), Line("predicted", times, prediction.tolist(), 1)],
            size=_TRAJECTORY,
        )
        for name, (truth, prediction) in curves.items()
    ]


def moving_channels(findings: HeadFindings) -> tuple[list[ChannelMeasure], list[str]]:
    """Channels that the measured face moves, the best followed first; and the names of the others."""
    moves = dict(zip(findings.annotation.channel_names, findings.deviation > _MOVING, strict=True))
    # A channel that the prediction holds still follows the truth not at all.
    measures = [measure for measure in findings.channels if moves[measure.name]]
    measures.sort(key=lambda measure: -np.nan_to_num(measure.pearson_r))
    return measures, [measure.name for measure in findings.channels if not moves[measure.name]]


def correlation_bars(measures: Sequence[ChannelMeasure]) -> str:
    """Pearson's r of each channel as a bar from 0, below 0 to the left."""
    lowest = min(0.0, *(np.nan_to_num(measure.pearson_r) for measure in measures))
    zero = _NAME_WIDTH - lowest * _BAR_WIDTH
    width, height = zero + _BAR_WIDTH + 56, _ROW * len(measures) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-family="sans-serif" '
        f'font-size="12" fill="currentColor" role="img" aria-label="Correlation by channel">'
    ]
    for row, measure in enumerate(measures):
        value, y = float(np.nan_to_num(measure.pearson_r)), _ROW * row + 4
        shown = "still" if np.isnan(measure.pearson_r) else f"{value:.2f}"
        left, right = sorted((zero, zero + value * _BAR_WIDTH))
        parts.append(
            f'<text x="{_NAME_WIDTH - 8}" y="{y + 12}" text-anchor="end">{escape(measure.name)}</text>'
            f'<rect x="{left:.1f}" y="{y + 2}" width="{right - left:.1f}" height="{_ROW - 5}" fill="{COLOURS[0]}">'
            f"<title>{escape(measure.name)}: r {shown}, RMSE {measure.rmse:.3f}, lag {measure.lag_ms:.0f} ms</title>"
            f'</rect><text x="{max(right, zero) + 6:.1f}" y="{y + 12}">{shown}</text>'
        )
    return "\n".join([*parts, "</svg>\n"])


def _shown_channels(annotation: Annotation, deviation: np.ndarray) -> list[int]:
    names = annotation.channel_names
    named = [names.index(name) for name in _CURVES if name in names]
    strongest = [int(channel) for channel in np.argsort(-deviation) if channel not in named]
    return [*named, *strongest][: len(_CURVES)]

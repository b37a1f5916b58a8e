"""All that `unitalker evaluate-motion` finds out about the motion of a folder of sounds, and how it is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from backend.annotation import FaceMotion
from backend.errors import UniTalkerError
from backend.motion.channels import has_arkit_mouth
from backend.motion.resample import resample
from training.channel_metrics import ChannelMeasure, channel_metrics
from training.metrics import Clip
from training.motion_measures.catalogue import MEASURES
from training.motion_measures.measuring import Reading, measure
from training.motion_measures.takes import Take
from training.plain_numbers import without_nan

_LONGEST_MISMATCH = 0.5
"""Seconds by which motion and truth may differ in length."""
_WIDE = 160
"""Columns where nobody looks at a terminal, so that lines in a log are not broken."""


@dataclass(frozen=True)
class MotionEvaluation:
    """What was measured.

    Attributes:
        subject: whose motion it is.
        recordings: how many sounds with motion.
        with_phones: of how many of them phone times are known.
        readings: measures without ground truth, by name.
        channels: of each channel that the measured motion has too; empty without measured motion.
        notes: what could not be measured, and why.
    """

    subject: str
    recordings: int
    with_phones: int
    readings: dict[str, Reading]
    channels: list[ChannelMeasure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain data; numbers that are not defined are None."""
        document = {**vars(self), "readings": {name: asdict(reading) for name, reading in self.readings.items()}}
        document["channels"] = {one.name: asdict(one) for one in self.channels}
        plain: dict[str, Any] = without_nan(document)
        return plain


def evaluate_takes(subject: str, takes: Sequence[Take], truth: Mapping[str, FaceMotion]) -> MotionEvaluation:
    """Measures takes of one head.

    Args:
        subject: whose motion it is, for people.
        takes: at least one.
        truth: measured motion by name of the take; may be empty.

    Raises:
        UniTalkerError: the measured motion has no channel in common, belongs to no take, or is of another length.
    """
    annotation = takes[0].motion.annotation
    with_phones = sum(bool(take.voice.phones) for take in takes)
    notes = []
    if annotation.kind == "blendshapes" and not has_arkit_mouth(annotation):
        notes.append(
            f"{annotation.type_name} has no jawOpen and mouthClose: the opening is that of the channel that opens the "
            "mouth, or of all its channels together, and rounding and lip to teeth are not measured"
        )
    if not with_phones:
        notes.append(
            "no phone times are known (NAME.phone.json or phones.json beside the sounds, or --phones): "
            "closures, rounding, lip to teeth and vowels are not measured"
        )
    return MotionEvaluation(
        subject,
        len(takes),
        with_phones,
        measure([take.recording for take in takes]),
        compare_channels(takes, truth) if truth else [],
        notes,
    )


def compare_channels(takes: Sequence[Take], truth: Mapping[str, FaceMotion]) -> list[ChannelMeasure]:
    """Correlation, error and lag of every channel that takes and measured motion both have.

    Args:
        takes: of one head.
        truth: by name of the take, of any frame rate.

    Raises:
        UniTalkerError: nothing can be compared, or lengths differ by more than half a second.
    """
    pairs = [(take, truth[take.name]) for take in takes if take.name in truth]
    if not pairs:
        raise UniTalkerError(
            "evaluation.no_truth",
            "None of the measured motions has the name of one of the sounds.",
            "Call them as the sounds, with another ending.",
        )
    names = pairs[0][0].motion.annotation.channel_names
    known = set(pairs[0][1].annotation.channel_names)
    common = [name for name in names if name in known]
    if not common:
        raise UniTalkerError(
            "evaluation.channels",
            f"{pairs[0][0].motion.annotation.type_name} and the measured {pairs[0][1].annotation.type_name} "
            "have no channel name in common.",
            "Choose a --head with the channels of the measured motion.",
        )
    clips = [_paired(take, measured, common) for take, measured in pairs]
    return channel_metrics(clips, common, pairs[0][0].motion.fps)


def show_evaluation(found: MotionEvaluation) -> None:
    """Prints the tables."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    phones = f", phones known of {found.with_phones}" if found.with_phones else ""
    table = Table(title=f"{found.subject}: {found.recordings} recordings{phones}", title_justify="left")
    for column, side in (("measure", "left"), ("value", "right"), ("95 % interval", "right"), ("good", "left")):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    table.add_column("what it is", overflow="fold")
    for one in MEASURES:
        if one.name in found.readings:
            reading = found.readings[one.name]
            interval = f"{_text(reading.low)} to {_text(reading.high)}" if reading.recordings > 1 else "-"
            table.add_row(one.name, _text(reading.value), interval, one.good, one.meaning)
    console.print(table)
    if found.channels:
        console.print(_channel_table(found.channels))
    for note in found.notes:
        console.print(f"note: {note}", highlight=False, markup=False)


def _channel_table(channels: Sequence[ChannelMeasure]) -> Table:
    table = Table(title="against measured motion", title_justify="left")
    for column in ("channel", "r", "rmse", "lag (ms)"):
        table.add_column(column, justify="left" if column == "channel" else "right")
    for one in channels:
        table.add_row(one.name, _text(one.pearson_r), _text(one.rmse), _text(one.lag_ms))
    return table


def _paired(take: Take, measured: FaceMotion, common: list[str]) -> Clip:
    """Both in the channels that they share, at the take's rate."""
    if abs(take.motion.duration - measured.duration) > _LONGEST_MISMATCH:
        raise UniTalkerError(
            "evaluation.length",
            f"{take.name} has {take.motion.duration:.2f} s of motion and {measured.duration:.2f} s of measured motion.",
            "Check the frame rate and that both begin together.",
        )
    measured = resample(measured, take.motion.fps)
    frames = min(len(take.motion.values), len(measured.values))
    return Clip(
        *(
            motion.values[:frames, [motion.annotation.channel_names.index(name) for name in common]]
            for motion in (take.motion, measured)
        )
    )


def _text(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"

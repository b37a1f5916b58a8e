"""Which measure tells real motion from which control, as a table for ``docs/measures.md``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.errors import UniTalkerError
from backend.export.atomic import atomic_write
from training.motion_measures.catalogue import MEASURES, Measure
from training.motion_measures.controls import CONTROLS, detects
from training.motion_measures.measuring import Reading, measure
from training.motion_measures.takes import Take

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True)
class Separation:
    """A measure of real motion and of its controls; those it could say nothing about are not there."""

    measure: Measure
    truth: Reading
    controls: Mapping[str, Reading]

    @property
    def detected(self) -> list[str]:
        """Names of the controls that read worse than real motion, beyond chance."""
        return [name for name in CONTROLS if detects(self.measure, self.truth, self.controls.get(name))]


def separate(takes: Sequence[Take]) -> list[Separation]:
    """Every measure about which the takes say something.

    Args:
        takes: real motion of one kind of face.
    """
    truth = measure([take.recording for take in takes])
    spoilt = {name: measure([take.recording for take in control(takes)]) for name, control in CONTROLS.items()}
    return [
        Separation(
            one,
            truth[one.name],
            {name: readings[one.name] for name, readings in spoilt.items() if one.name in readings},
        )
        for one in MEASURES
        if one.name in truth
    ]


def markdown_of(title: str, separations: Iterable[Separation]) -> str:
    """A table: real motion with its interval, and each control, in bold where it is detected."""
    lines = [f"**{title}**", "", f"| measure | real | {' | '.join(CONTROLS)} |", "|---" * (len(CONTROLS) + 2) + "|"]
    for separation in separations:
        truth, detected = separation.truth, separation.detected
        cells = []
        for name in CONTROLS:
            text = _text(separation.controls[name].value) if name in separation.controls else "-"
            cells.append(f"**{text}**" if name in detected else text)
        real = f"{_text(truth.value)} ({_text(truth.low)} to {_text(truth.high)})"
        lines.append(f"| {separation.measure.name} | {real} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_tables(path: Path, tables: Sequence[str]) -> None:
    """Puts tables between the two marks of a document, in place of what stands there.

    Raises:
        UniTalkerError: the document has no such marks, or cannot be written.
    """
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise UniTalkerError("measures.document", f"{path} has no lines {BEGIN} and {END} to put the tables between.")
    with atomic_write(path) as file:
        file.write("\n\n".join([head + BEGIN, *tables, END + tail]).encode())


def _text(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"

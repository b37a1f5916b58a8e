"""The findings of a check for people: aligned text, in colour where there is a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backend.motion.alignment import Alignment
from training.datasets.check import Findings

_MOST_SHOWN = 8
_WIDE = 160
"""Columns where nobody looks at a terminal, so that lines in a log are not broken."""


def show_findings(findings: Findings) -> None:
    """Prints what was found in a set."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    table = Table(title=f"{findings.name} ({findings.layout})", title_justify="left", box=None, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in _rows(findings):
        table.add_row(label, escape(text))
    console.print(table)
    for style, label, lines in (
        ("red", "missing", findings.missing),
        ("red", "unusable", findings.unusable),
        ("yellow", "remark", findings.remarks),
    ):
        for line in _first(lines):
            console.print(f"  [{style}]{label}[/]  {escape(line)}", highlight=False)
    console.print()


def _rows(findings: Findings) -> list[tuple[str, str]]:
    rates = ", ".join(
        f"{rate:g}" + (f" ({count})" if len(findings.fps) > 1 else "") for rate, count in findings.fps.items()
    )
    clips = ", ".join(f"{count} {split}" if split != "all" else str(count) for split, count in findings.clips.items())
    people = _counted([f"{name} ({count})" for name, count in findings.identities.items()])
    rows = [
        ("annotation", f"{findings.annotation}, {findings.channels} channels"),
        ("clips", clips or "none"),
        ("minutes", f"{findings.minutes:.1f}"),
        ("fps", rates),
        ("identities", people),
        ("missing files", str(len(findings.missing))),
        ("NaN", f"{sum(findings.not_finite.values())} frames in {len(findings.not_finite)} clips"),
        ("sound to motion", _alignment(findings.alignment)),
        ("frozen channels", _counted(findings.frozen)),
        ("clipped channels", _counted(findings.clipped)),
    ]
    return rows


def _counted(names: list[str]) -> str:
    """How many there are, and the first of them."""
    if not names:
        return "none"
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return f"{len(names)}: {', '.join(names[:_MOST_SHOWN])}{more}"


def _alignment(alignment: Alignment | None) -> str:
    if alignment is None:
        return "unknown: there is too little sound with motion"
    return f"{round(1000 * alignment.offset):+d} ms, correlation {alignment.correlation:.2f}"


def _first(lines: list[str]) -> list[str]:
    shown = lines[:_MOST_SHOWN]
    return [*shown, f"and {len(lines) - len(shown)} more (--json lists all)"] if len(lines) > len(shown) else shown

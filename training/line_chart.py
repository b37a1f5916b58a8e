"""A line chart as SVG, which every browser shows, on light and on dark paper; no plotting library is needed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 58, 48
COLOURS = ("#3d8fd9", "#dd7230", "#3fa565", "#a869c4", "#a38c4e", "#cf5f86")
"""Of lines; in the middle between light and dark, so that they are seen on both."""
_TICKS = 5
_LETTER = 6.4
"""Mean width of a letter of the legend."""


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: in the legend.
        x: places.
        y: values; NaN interrupts the line.
        colour: number of its colour; lines that belong together share one.
        dashed: drawn so.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: int = 0
    dashed: bool = False


def line_chart(
    title: str,
    x_label: str,
    y_label: str,
    lines: Sequence[Line],
    y_range: tuple[float, float] | None = None,
    size: tuple[int, int] = (640, 360),
) -> str:
    """One or several lines over a common axis.

    Args:
        title: above the chart.
        x_label: below it.
        y_label: beside it.
        lines: at least one with a value; their names are shown when there are several.
        y_range: bottom and top; those of the values if left out.
        size: width and height in units of which a letter is 12 high.

    Returns:
        The SVG document; what is not a line has the colour of the text around it.
    """
    xs = [x for line in lines for x in line.x]
    ys = [y for line in lines for y in line.y if math.isfinite(y)]
    if not ys:
        raise ValueError(f"{title}: there is no value to draw")
    width, height = size
    across = _Axis(min(xs), max(xs), _LEFT, width - _RIGHT)
    along = _Axis(*(y_range or (min(ys), max(ys))), height - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="12" fill="currentColor" role="img" aria-label="{escape(title)}">',
        f'<text x="{_LEFT}" y="20" font-size="15">{escape(title)}</text>',
        f'<text x="{(across.first + across.last) / 2}" y="{height - 10}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text transform="translate(16 {(along.first + along.last) / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>",
        *_grid(across, along),
        *(_legend(lines) if len(lines) > 1 else ()),
    ]
    for line in lines:
        parts += _stretches(line, across, along)
    return "\n".join([*parts, "</svg>\n"])


def _grid(across: _Axis, along: _Axis) -> Iterator[str]:
    for value in across.ticks():
        place = f"{across(value):.1f}"
        yield f'<path d="M{place} {along.last}V{along.first}" stroke="currentColor" stroke-opacity=".16"/>'
        yield f'<text x="{place}" y="{along.first + 18}" text-anchor="middle">{value:g}</text>'
    for value in along.ticks():
        place = f"{along(value):.1f}"
        yield f'<path d="M{across.first} {place}H{across.last}" stroke="currentColor" stroke-opacity=".16"/>'
        yield f'<text x="{across.first - 8}" y="{place}" dy="4" text-anchor="end">{value:g}</text>'


def _legend(lines: Sequence[Line]) -> Iterator[str]:
    x: float = _LEFT
    for line in lines:
        yield f'<path d="M{x:.0f} 39h20" {_stroke(line)}/><text x="{x + 26:.0f}" y="43">{escape(line.name)}</text>'
        x += 26 + _LETTER * len(line.name) + 18


def _stretches(line: Line, across: _Axis, along: _Axis) -> Iterator[str]:
    """The line from one gap to the next; a single value as a dot."""
    points: list[str] = []
    for x, y in (*zip(line.x, line.y, strict=True), (math.nan, math.nan)):
        if math.isfinite(y):
            points.append(f"{across(x):.1f},{along(y):.1f}")
            continue
        if len(points) == 1:
            x_place, y_place = points[0].split(",")
            yield f'<circle cx="{x_place}" cy="{y_place}" r="4" fill="{_colour(line)}"/>'
        elif points:
            yield f'<polyline points="{" ".join(points)}" {_stroke(line)}/>'
        points = []


def _stroke(line: Line) -> str:
    dashes = ' stroke-dasharray="6 4"' if line.dashed else ""
    return f'fill="none" stroke="{_colour(line)}" stroke-width="2"{dashes}'


def _colour(line: Line) -> str:
    return COLOURS[line.colour % len(COLOURS)]


class _Axis:
    """From values to places on the paper."""

    def __init__(self, low: float, high: float, first: int, last: int) -> None:
        self._low, self._high = low, high if high > low else low + (abs(low) or 1)
        self.first, self.last = first, last

    def __call__(self, value: float) -> float:
        return self.first + (value - self._low) / (self._high - self._low) * (self.last - self.first)

    def ticks(self) -> list[float]:
        """Round values, about five."""
        rough = (self._high - self._low) / _TICKS
        magnitude = 10.0 ** math.floor(math.log10(rough))
        step = next(magnitude * factor for factor in (1, 2, 5, 10) if magnitude * factor >= rough)
        first = math.ceil(self._low / step - 1e-9)
        return [round(step * (first + n), 10) for n in range(_TICKS + 2) if step * (first + n) <= self._high + 1e-9]

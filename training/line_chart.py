"""A line chart as SVG, which every browser shows; no plotting library is needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 40, 48
_COLOURS = ("#1f6fb4", "#d1602b", "#2f8f4e", "#8a4fa3", "#7a6a53")
_TICKS = 5


def line_chart(
    title: str,
    x_label: str,
    y_label: str,
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    y_range: tuple[float, float] | None = None,
) -> str:
    """One or several lines over a common axis.

    Args:
        title: above the chart.
        x_label: below it.
        y_label: beside it.
        lines: x and y values by name; names are shown when there are several.
        y_range: bottom and top; those of the values if left out.

    Returns:
        The SVG document.
    """
    xs = [x for values, _ in lines.values() for x in values]
    ys = [y for _, values in lines.values() for y in values]
    across = _Axis(min(xs), max(xs), _LEFT, _WIDTH - _RIGHT)
    along = _Axis(*(y_range or (min(ys), max(ys))), _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12" fill="#333"><rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="24" font-size="15">{escape(title)}</text>',
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text transform="translate(16 {(_TOP + _HEIGHT - _BOTTOM) / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>",
    ]
    for value in across.ticks():
        place = f"{across(value):.1f}"
        parts.append(f'<path d="M{place} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{place}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{value:g}</text>')
    for value in along.ticks():
        place = f"{along(value):.1f}"
        parts.append(f'<path d="M{_LEFT} {place}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{place}" dy="4" text-anchor="end">{value:g}</text>')
    for number, (name, (x_values, y_values)) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(f"{across(x):.1f},{along(y):.1f}" for x, y in zip(x_values, y_values, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(lines) > 1:
            parts.append(
                f'<text x="{_WIDTH - _RIGHT - 4}" y="{_HEIGHT // 2 + 16 * number}" text-anchor="end" fill="{colour}">'
                f"{escape(name)}</text>"
            )
    return "\n".join([*parts, "</svg>\n"])


class _Axis:
    """From values to places on the paper."""

    def __init__(self, low: float, high: float, first: float, last: float) -> None:
        self._low, self._high = low, high if high > low else low + 1
        self._first, self._last = first, last

    def __call__(self, value: float) -> float:
        return self._first + (value - self._low) / (self._high - self._low) * (self._last - self._first)

    def ticks(self) -> list[float]:
        """Round values, about five."""
        rough = (self._high - self._low) / _TICKS
        magnitude = 10.0 ** math.floor(math.log10(rough))
        step = next(magnitude * factor for factor in (1, 2, 5, 10) if magnitude * factor >= rough)
        first = -(-self._low // step)
        return [round(step * (first + n), 10) for n in range(_TICKS + 2) if step * (first + n) <= self._high + 1e-9]

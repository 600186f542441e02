"""Plots as inline SVG: axes, lines, boxes. Text is escaped; nothing is loaded from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from ..statistics import Float64Array

_WIDTH, _HEIGHT = 380, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 44
# More corners than this cannot be told apart on a screen.
_MOST_POINTS = 1500


class Axis:
    """Positions along one axis, linear or by the logarithm, and where its ticks are."""

    def __init__(self, label: str, low: float, high: float, *, log: bool = False) -> None:
        self.label, self.low, self.high, self.log = label, low, high, log

    def fractions(self, values: Float64Array) -> Float64Array:
        """Return where values lie between the ends, from 0 to 1; values beyond them are moved to the end."""
        inside = np.clip(values, self.low, self.high)
        if self.log:
            inside, low, high = np.log10(inside), math.log10(self.low), math.log10(self.high)
        else:
            low, high = self.low, self.high
        fractions: Float64Array = (inside - low) / (high - low)
        return fractions

    def ticks(self) -> list[tuple[float, str]]:
        """Return (value, text) of each tick."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            return [(10.0**power, _power(power)) for power in range(first, last + 1)]
        return [(value, f"{value:g}") for value in np.linspace(self.low, self.high, 6).round(12).tolist()]


def _power(power: int) -> str:
    return f"{10.0**power:g}" if power >= -3 else f"1e{power}"


class Plot:
    """A plot that is drawn piece by piece; `title` names it for screen readers."""

    def __init__(self, title: str, x: Axis, y: Axis, height: int = _HEIGHT, left: int = _LEFT) -> None:
        self._title, self._x, self._y, self._height, self._left = title, x, y, height, left
        self._pieces: list[str] = []

    def _places(self, x: Float64Array, y: Float64Array) -> tuple[Float64Array, Float64Array]:
        across = self._left + self._x.fractions(x) * (_WIDTH - self._left - _RIGHT)
        down = self._height - _BOTTOM - self._y.fractions(y) * (self._height - _TOP - _BOTTOM)
        return across, down

    def line(self, x: Float64Array, y: Float64Array, kind: str) -> None:
        """Draw a line through points (n,) in the colour of a class of the page's style."""
        across, down = self._places(*_thinned(x, y))
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across.tolist(), down.tolist()))
        self._pieces.append(f'<polyline class="line {escape(kind)}" points="{points}"/>')

    def mark(self, x: float, y: float, kind: str) -> None:
        """Draw a point."""
        across, down = self._places(np.array([x]), np.array([y]))
        self._pieces.append(f'<circle class="mark {escape(kind)}" cx="{across[0]:.1f}" cy="{down[0]:.1f}" r="4"/>')

    def box(self, row: float, values: Sequence[float], kind: str) -> None:
        """Draw a lying box around `row` of the vertical axis: extrema, whiskers, quartiles, median (7 values)."""
        across, (top, middle, bottom) = (
            self._places(np.array(values), np.zeros(7))[0],
            (self._places(np.zeros(3), np.array([row + 0.28, row, row - 0.28]))[1]),
        )
        low, q10, q25, median, q75, q90, high = across.tolist()
        cap = (bottom - top) * 0.25
        shapes = [
            f'<line class="thin" x1="{low:.1f}" x2="{high:.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>',
            f'<line class="whisker" x1="{q10:.1f}" x2="{q90:.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>',
            *(
                f'<line class="whisker" x1="{end:.1f}" x2="{end:.1f}" y1="{middle - cap:.1f}" y2="{middle + cap:.1f}"/>'
                for end in (q10, q90)
            ),
            f'<rect class="box" x="{q25:.1f}" y="{top:.1f}" width="{max(q75 - q25, 1.0):.1f}" '
            f'height="{bottom - top:.1f}"/>',
            f'<line class="median" x1="{median:.1f}" x2="{median:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>',
        ]
        self._pieces.append(f'<g class="{escape(kind)}">{"".join(shapes)}</g>')

    def svg(self, rows: Iterable[tuple[float, str]] | None = None) -> str:
        """Return the element; `rows` name places on the vertical axis instead of its ticks."""
        left, right, top, bottom = self._left, _WIDTH - _RIGHT, _TOP, self._height - _BOTTOM
        parts = [
            f'<svg viewBox="0 0 {_WIDTH} {self._height}" role="img" aria-label="{escape(self._title)}">',
            f"<title>{escape(self._title)}</title>",
        ]
        for value, text in self._x.ticks():
            place = self._places(np.array([value]), np.zeros(1))[0][0]
            parts.append(f'<line class="grid" x1="{place:.1f}" x2="{place:.1f}" y1="{top}" y2="{bottom}"/>')
            parts.append(f'<text class="tick" x="{place:.1f}" y="{bottom + 16}" text-anchor="middle">{text}</text>')
        for value, text in self._y.ticks() if rows is None else rows:
            place = self._places(np.zeros(1), np.array([value]))[1][0]
            if rows is None:
                parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{place:.1f}" y2="{place:.1f}"/>')
            parts.append(
                f'<text class="tick" x="{left - 6}" y="{place + 4:.1f}" text-anchor="end">{escape(text)}</text>'
            )
        parts.append(f'<rect class="frame" x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"/>')
        middle, centre = (left + right) / 2, (top + bottom) / 2
        parts.append(_label(self._x.label, f'x="{middle}" y="{self._height - 8}"'))
        parts.append(_label(self._y.label, f'transform="rotate(-90 12 {centre})" x="12" y="{centre}"'))
        return "".join([*parts, *self._pieces, "</svg>"])


def _label(text: str, place: str) -> str:
    """Return a label in which `_D` and `_F` are subscripts."""
    shown = escape(text)
    for index in ("D", "F"):
        shown = shown.replace(f"_{index}", f'<tspan dy="3" font-size="9">{index}</tspan><tspan dy="-3">&#8203;</tspan>')
    return f'<text class="label" {place} text-anchor="middle">{shown}</text>' if text else ""


def _thinned(x: Float64Array, y: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return at most `_MOST_POINTS` of the points, the ends among them."""
    if len(x) <= _MOST_POINTS:
        return x, y
    kept = np.unique(np.linspace(0, len(x) - 1, _MOST_POINTS).round().astype(np.intp))
    return x[kept], y[kept]

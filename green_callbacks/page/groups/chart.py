"""The quality of groups against their emissions as a picture in SVG, which needs no script."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil, floor, log10
from typing import Final, NamedTuple

from green_callbacks.analysis.comparing.bands import BandPoint, band_of
from green_callbacks.page.amounts import mass_text
from green_callbacks.page.groups.runs import LabeledRuns
from green_callbacks.text import for_html
from green_callbacks.units import GRAMS_PER_KG

__all__ = ["COLORS", "chart"]

COLORS: Final = ("#1f88d9", "#d9651f", "#12a078", "#c85fa0", "#a8860a", "#7a7fd6", "#868b90")
"""Colors of groups. Each has a contrast of at least 3 with a white page and with a dark page.

Example:
    >>> len(COLORS)
    7
"""

_DASHES: Final = ("", "9 4", "3 3", "9 3 3 3")
"""Dashes of lines. Groups differ by dashes as well, so that a gray print can be read."""

_WIDTH: Final = 1200.0
"""Width of the picture, in its own units, which are about as large as dots of a screen."""

_HEIGHT: Final = 360.0
"""Height of the picture, in its own units."""

_LEFT: Final = 80.0
"""Room for the values at the left, in units of the picture."""

_BOTTOM: Final = 40.0
"""Room for the emissions below, in units of the picture."""

_TICKS: Final = 5
"""Number of steps of an axis that is aimed at."""

_STEPS: Final = (1.0, 2.0, 5.0, 10.0)
"""Steps of an axis, times a power of ten."""

_NEAR: Final = 0.75
"""Ratio by which a step may be smaller than the aim. By experiment, so that an axis has four to six steps."""

_BEGINNING: Final = 0.1
"""Share of the largest emissions whose low quality may lie outside the picture, as a ratio. By experiment."""

_MARGIN: Final = 0.05
"""Space above and below the curves, as a share of their height."""

_MOST_POINTS: Final = 200
"""Largest number of points of a band. It keeps the file small, and no step of a line is missed on most screens."""


class _Axes(NamedTuple):
    """The ends of both axes, in kgCO2e and in the unit of the metric."""

    most_kg: float
    low: float
    high: float

    def x(self, kg: float) -> float:
        return round(_LEFT + (_WIDTH - _LEFT) * kg / (self.most_kg or 1.0), 1)

    def y(self, value: float) -> float:
        return round((_HEIGHT - _BOTTOM) * (self.high - value) / (self.high - self.low), 1)


def chart(found: LabeledRuns) -> str:
    """Draw the mean of each group over its emissions, with the band that its runs span.

    Args:
        found: The groups.

    Returns:
        An SVG. Names of groups are not in it.

    Example:
        >>> from green_callbacks.analysis.comparing.quality_curve import QualityCurve
        >>> from green_callbacks.metrics import Metric
        >>> from green_callbacks.page.groups.runs import RunGroup
        >>> group = RunGroup("fewer", [QualityCurve("a", [1.0, 2.0], [0.5, 0.75], 2.0)])
        >>> chart(LabeledRuns("method", Metric("val_acc", "max"), [group], [])).count("stroke-dasharray")
        1
    """
    bands = [band_of(group.curves, _MOST_POINTS) for group in found.groups]
    axes = _axes([points for points in bands if points])
    drawn = [shape for at, points in enumerate(bands) if points for shape in _group(axes, points, at)]
    label = f"{for_html(found.metric.name)} of each group over its emissions"
    return "\n".join(
        [
            f'<svg viewBox="0 -8 {_WIDTH:g} {_HEIGHT + 8:g}" role="img" aria-label="{label}">',
            f'<clipPath id="grouped"><path d="M{_LEFT:g} -8H{_WIDTH:g}V{_HEIGHT - _BOTTOM:g}H{_LEFT:g}Z"/></clipPath>',
            *_grid(axes),
            f'<g clip-path="url(#grouped)">{"".join(drawn)}</g>',
            "</svg>",
        ]
    )


def _axes(bands: Sequence[Sequence[BandPoint]]) -> _Axes:
    most_kg = max((points[-1].amount for points in bands), default=1.0)
    begin = _BEGINNING * most_kg
    shown = [each for points in bands for each in points if each.amount >= begin or each is points[-1]]
    low, high = min((each.low for each in shown), default=0.0), max((each.high for each in shown), default=1.0)
    margin = _MARGIN * (high - low) or _MARGIN * abs(high) or 1.0
    return _Axes(most_kg, low - margin, high + margin)


def _grid(axes: _Axes) -> Iterator[str]:
    base = _HEIGHT - _BOTTOM
    for value in _ticks(axes.low, axes.high):
        yield f'<path class="quiet" d="M{_LEFT:g} {axes.y(value)}H{_WIDTH:g}"/>'
        yield f'<text fill="currentColor" x="{_LEFT / 2:g}" y="{axes.y(value)}">{value:.4g}</text>'
    for grams in _ticks(0.0, axes.most_kg * GRAMS_PER_KG):
        x = axes.x(grams / GRAMS_PER_KG)
        if x <= _WIDTH - _LEFT / 2:  # else it would be cut off
            yield f'<text fill="currentColor" x="{x}" y="{base + _BOTTOM / 2:g}">{mass_text(grams)}</text>'


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers between the ends of an axis."""
    width = (high - low) / _TICKS
    if not width > 0:
        return [low]
    power = 10.0 ** floor(log10(width))
    step = next(step * power for step in _STEPS if step * power >= width * _NEAR)
    return [at * step for at in range(ceil(low / step), floor(high / step) + 1)]


def _group(axes: _Axes, points: Sequence[BandPoint], at: int) -> Iterator[str]:
    color, dashes = COLORS[at % len(COLORS)], _DASHES[at % len(_DASHES)]
    high = _stairs(axes, [(each.amount, each.high) for each in points])
    low = _stairs(axes, [(each.amount, each.low) for each in points])
    mean = _stairs(axes, [(each.amount, each.mean) for each in points])
    yield f'<path class="band" fill="{color}" d="M{_joined([*high, *reversed(low)])}Z"/>'
    yield f'<path stroke="{color}" stroke-dasharray="{dashes}" d="M{_joined(mean)}"/>'


def _stairs(axes: _Axes, places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the corners of a line whose value holds until the next value."""
    corners: list[tuple[float, float]] = []
    for kg, value in places:
        x, y = axes.x(kg), axes.y(value)
        corners += [(x, corners[-1][1]), (x, y)] if corners else [(x, y)]
    return corners


def _joined(corners: Sequence[tuple[float, float]]) -> str:
    """Write a path from its second word on. Corners below or beside the corner before need only one number."""
    written = [f"{corners[0][0]:g} {corners[0][1]:g}"]
    for (x_before, y_before), (x, y) in pairwise(corners):
        if (x, y) != (x_before, y_before):
            written.append(f"V{y:g}" if x == x_before else f"H{x:g}" if y == y_before else f"L{x:g} {y:g}")
    return "".join(written)

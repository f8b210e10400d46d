"""The quality of groups of runs against their spending, as a picture."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

from green_callbacks.analysis.comparing.bands import BandPoint, band_of
from green_callbacks.analysis.comparing.equal_spending import CurveGroup
from green_callbacks.analysis.comparing.quality_curve import Axis
from green_callbacks.analysis.comparing.same_amount import SameAmount
from green_callbacks.cli.compare.same_amount_text import written_amount
from green_callbacks.cli.pictures import draw
from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import Metric
from green_callbacks.text import for_terminal
from green_callbacks.units import JOULES_PER_KWH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLORS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""The colors of Okabe and Ito, which people with any color vision can tell apart."""

_DASHES: Final = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)))
"""Dashes of lines. Groups differ by dashes as well, so that a gray print can be read."""

_SIZE_INCHES: Final = (9.0, 5.5)
"""Width and height of the picture, in inches."""

_BEGINNING: Final = 0.1
"""Share of the largest amount whose low quality may lie outside the picture, as a ratio. By experiment."""

_MARGIN: Final = 0.06
"""Space above and below the curves, as a share of their height."""

_APART: Final = 0.006
"""Distance between the marks of two groups at an amount, as a share of the amount. By experiment."""

_LONGEST_NAME: Final = 60
"""Longest name, in characters. It leaves room for the curves."""

_UNITS: Final[Mapping[Axis, tuple[tuple[str, float], ...]]] = {
    "energy": (("MWh", 1e3), ("kWh", 1.0), ("Wh", 1e-3), ("J", 1 / JOULES_PER_KWH)),
    "emissions": (("t CO2e", 1e3), ("kg CO2e", 1.0), ("g CO2e", 1e-3), ("mg CO2e", 1e-6)),
    "time": (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0)),
}
"""Units of an axis with their sizes, the largest first."""

_WORDS: Final[Mapping[Axis, str]] = {
    "energy": "Energy of the computers",
    "emissions": "Emissions",
    "time": "Time",
}

_Bands = list[tuple[CurveGroup, list[BandPoint]]]


def plot(path: Path, groups: Sequence[CurveGroup], metric: Metric, axis: Axis, found: SameAmount | None = None) -> None:
    """Draw the quality of each group, as the mean over its runs with the band that they span.

    Args:
        path: The picture. Its ending tells the format.
        groups: The groups, with curves of the metric against the axis.
        metric: The metric.
        axis: What the runs spend.
        found: The comparison at an amount, which is marked. Defaults to None, for no mark.

    Raises:
        ConfigurationError: No group has a curve, ``matplotlib`` is missing, or the picture cannot be written.
    """
    bands = [(group, points) for group in groups if (points := band_of(group.curves))]
    if not bands:
        msg = (
            f"No group has a curve of {for_terminal(metric.name)} against {axis}, so there is nothing to draw. Name "
            "runs with this metric, or another metric with --monitor."
        )
        raise ConfigurationError(msg)
    draw(path, _SIZE_INCHES, lambda figure: _paint(figure, bands, metric, axis, found))


def _paint(figure: "Figure", bands: _Bands, metric: Metric, axis: Axis, found: SameAmount | None) -> None:
    named, better = for_terminal(metric.name, limit=_LONGEST_NAME), "more" if metric.rises else "less"
    unit, size = _unit(axis, max(points[-1].amount for _, points in bands))
    axes = figure.add_subplot(xlabel=f"{_WORDS[axis]} ({unit})", ylabel=f"{named} ({better} is better)")
    notes = ["Line: mean of the runs. Band: lowest to highest run."]
    if any(_is_partial(group, each) for group, points in bands for each in points):
        notes.append("Dotted: only some of the runs.")
    for at, (group, points) in enumerate(bands):
        _line(axes, group, points, at, size)
    if found is not None:
        notes.append(f"Vertical: {written_amount(axis, found.amount)}, with means and 95 % intervals.")
        _mark(axes, found, [group.name for group, _ in bands], size)
    axes.set_ylim(*_heights(bands))
    axes.set_xlim(left=0)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="lower right" if metric.rises else "upper right")
    figure.supxlabel(" ".join(notes), fontsize="small")


def _unit(axis: Axis, largest: float) -> tuple[str, float]:
    units = _UNITS[axis]
    return next((each for each in units if largest >= each[1]), units[-1])


def _line(axes: "Axes", group: CurveGroup, points: Sequence[BandPoint], at: int, size: float) -> None:
    color, dashes = _COLORS[at % len(_COLORS)], _DASHES[at % len(_DASHES)]
    name, count = for_terminal(group.name, limit=_LONGEST_NAME), len(group.curves)
    runs = "1 run" if count == 1 else f"{count} runs"
    label = f"{name} ({'reference, ' if group.is_reference else ''}{runs})"
    label = f" {label}" if label.startswith("_") else label  # matplotlib leaves such a name out of the legend
    amounts = [each.amount / size for each in points]
    low, high = [each.low for each in points], [each.high for each in points]
    axes.fill_between(amounts, low, high, step="post", color=color, alpha=0.18, linewidth=0)
    for is_partial, stretch in _stretches(group, points):
        dashed = {"linestyle": ":", "linewidth": 1.2} if is_partial else {"linestyle": dashes, "linewidth": 2.0}
        steps = [each.amount / size for each in stretch], [each.mean for each in stretch]
        axes.plot(*steps, drawstyle="steps-post", color=color, **dashed)
    axes.plot([], [], color=color, linestyle=dashes, linewidth=2.0, label=label)


def _is_partial(group: CurveGroup, point: BandPoint) -> bool:
    return point.runs < len(group.curves)


def _stretches(group: CurveGroup, points: Sequence[BandPoint]) -> Iterator[tuple[bool, list[BandPoint]]]:
    """Yield the parts of a line with all runs or only some, each up to the beginning of the next part."""
    parts = [(part, list(found)) for part, found in groupby(points, lambda each: _is_partial(group, each))]
    for at, (is_partial, found) in enumerate(parts):
        after = [found[-1]._replace(amount=parts[at + 1][1][0].amount)] if at + 1 < len(parts) else []
        yield is_partial, [*found, *after]


def _mark(axes: "Axes", found: SameAmount, names: Sequence[str], size: float) -> None:
    """Mark the amount, with the mean and the interval of each group."""
    axes.axvline(found.amount / size, color="black", linewidth=1, alpha=0.5)
    for each in found.groups:
        if each.mean is None or each.group.name not in names:
            continue
        at = names.index(each.group.name)
        value, low, high = each.mean
        ends = None if low is None or high is None else [[value - low], [high - value]]
        shift = found.amount / size * (1 + _APART * (at - (len(names) - 1) / 2))
        axes.errorbar([shift], [value], ends, fmt="o", color=_COLORS[at % len(_COLORS)], capsize=4, markersize=5)


def _heights(bands: _Bands) -> tuple[float, float]:
    """Return the lower and the upper end of the picture, without the low quality of the very beginning."""
    begin = _BEGINNING * max(points[-1].amount for _, points in bands)
    shown = [each for _, points in bands for each in points if each.amount >= begin or each is points[-1]]
    low, high = min(each.low for each in shown), max(each.high for each in shown)
    margin = _MARGIN * (high - low) or _MARGIN * abs(high) or 1.0
    return low - margin, high + margin

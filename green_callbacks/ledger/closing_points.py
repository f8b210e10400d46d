"""Selects the points of a closing line, on the front of emissions and quality and on the curve by epochs."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from math import inf, isfinite
from typing import NamedTuple

from green_callbacks.metrics import Metric
from green_callbacks.records import History


class Point(NamedTuple):
    """The cumulative emissions at which a metric had a value.

    Example:
        >>> Point(kg=0.2, value=0.9, epoch=0).kg
        0.2

    Attributes:
        kg: Emissions so far, in kgCO2e. A closing line rounds them to six digits.
        value: The metric, rounded to six digits in a closing line. None where the epoch has no value.
        epoch: Index of the epoch. None outside epochs.
    """

    kg: float
    value: float | None
    epoch: int | None


def front(history: History, metric: Metric) -> list[Point]:
    """Return every new best value of a metric, in the order of rising emissions.

    Args:
        history: All records.
        metric: The metric.
    """
    return [
        Point(history.cumulative_kg[row], value, history.epoch_at(row)) for row, value in front_rows(history, metric)
    ]


def front_rows(history: History, metric: Metric) -> list[tuple[int, float]]:
    """Return the row of each point of the front, and the value of the metric there.

    Args:
        history: All records.
        metric: The metric.
    """
    found: list[tuple[int, float]] = []
    kg, best = history.cumulative_kg, -inf
    sign = 1.0 if metric.rises else -1.0
    for row, value in zip(*history.metric(metric.name), strict=True):
        # Without a check for NaN, because no comparison with it is true.
        if not best < sign * value < inf:
            continue
        best = sign * value
        if found and kg[row] <= kg[found[-1][0]]:
            found.pop()
        found.append((row, value))
    return found


def curve(history: History, metric: str | None, most: int | None = None) -> Iterator[Point]:
    """Yield the emissions at the end of each epoch, with the last finite value that a metric took in it.

    Args:
        history: All records.
        metric: Key of the metric. None for no metric.
        most: Largest number of points, as of :func:`thinned_curve`. Defaults to None, for all.
    """
    rows, values = history.metric(metric) if metric is not None else ((), ())
    ends, kg = history.epoch_rows, history.cumulative_kg
    for place in range(len(ends)) if most is None else places_on_curve(len(ends), most):
        closed = ends[place]
        at = bisect_right(rows, closed)
        first = bisect_right(rows, ends[place - 1], 0, at) if place else 0
        while at > first and not isfinite(values[at - 1]):
            at -= 1
        yield Point(kg[closed], values[at - 1] if at > first else None, history.epoch_at(closed))


def thinned_front(points: Sequence[Point], most: int) -> list[Point]:
    """Return the points of a front that gain enough on the point before, and always the first and the last.

    Args:
        points: The front.
        most: Largest number of points to return, at least 3.
    """
    return [points[at] for at in places_on_front([point.value or 0.0 for point in points], most)]


def places_on_front(values: Sequence[float], most: int) -> Sequence[int]:
    """Return the places of the points that :func:`thinned_front` keeps.

    Args:
        values: The value of the metric at each point of the front.
        most: Largest number of points to return, at least 3.
    """
    if len(values) <= most:
        return range(len(values))
    least = abs(values[-1] - values[0]) / (most - 2)
    kept = [0]
    for at in range(1, len(values) - 1):
        if abs(values[at] - values[kept[-1]]) >= least:
            kept.append(at)
    return [*kept[: most - 1], len(values) - 1]


def thinned_curve(points: Sequence[Point], most: int) -> list[Point]:
    """Return points of a curve at equal distances, and always the last point.

    Args:
        points: The curve.
        most: Largest number of points to return.
    """
    return [points[at] for at in places_on_curve(len(points), most)]


def places_on_curve(length: int, most: int) -> Sequence[int]:
    """Return the places of the points that :func:`thinned_curve` keeps.

    Args:
        length: Number of points of the curve.
        most: Largest number of points to return.
    """
    if length <= most:
        return range(length)
    return [-(-(at + 1) * length // most) - 1 for at in range(most)]

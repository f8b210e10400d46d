"""Selects the points of a closing line, on the front of emissions and quality and on the curve by epochs."""

from collections.abc import Iterator, Sequence
from math import isfinite
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
    points: list[Point] = []
    sign, best = (1.0 if metric.rises else -1.0), float("-inf")
    for row, value in zip(*history.metric(metric.name), strict=True):
        if not isfinite(value) or sign * value <= best:
            continue
        best, kg = sign * value, history.cumulative_kg[row]
        if points and kg <= points[-1].kg:
            points.pop()
        points.append(Point(kg, value, history.epoch_at(row)))
    return points


def curve(history: History, metric: str | None) -> Iterator[Point]:
    """Yield the emissions at the end of each epoch, with the last finite value that a metric took in it.

    Args:
        history: All records.
        metric: Key of the metric. None for no metric.
    """
    rows, values = history.metric(metric) if metric is not None else ((), ())
    at = 0
    for closed in history.epoch_rows:
        value = None
        while at < len(rows) and rows[at] <= closed:
            value = values[at] if isfinite(values[at]) else value
            at += 1
        yield Point(history.cumulative_kg[closed], value, history.epoch_at(closed))


def thinned_front(points: Sequence[Point], most: int) -> list[Point]:
    """Return the points of a front that gain enough on the point before, and always the first and the last.

    Args:
        points: The front.
        most: Largest number of points to return, at least 3.
    """
    if len(points) <= most:
        return list(points)
    values = [point.value or 0.0 for point in points]
    least = abs(values[-1] - values[0]) / (most - 2)
    kept = [0]
    for at in range(1, len(points) - 1):
        if abs(values[at] - values[kept[-1]]) >= least:
            kept.append(at)
    return [points[at] for at in [*kept[: most - 1], len(points) - 1]]


def thinned_curve(points: Sequence[Point], most: int) -> list[Point]:
    """Return points of a curve at equal distances, and always the last point.

    Args:
        points: The curve.
        most: Largest number of points to return.
    """
    if len(points) <= most:
        return list(points)
    return [points[-(-(at + 1) * len(points) // most) - 1] for at in range(most)]

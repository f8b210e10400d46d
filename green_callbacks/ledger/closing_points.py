"""Points of a run that a closing line keeps: the front of emissions and quality, and the curve by epochs."""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import NamedTuple

from green_callbacks.records import History


class Point(NamedTuple):
    """What had been emitted when a metric had a value.

    Attributes:
        kg: Emissions so far, in kgCO2e, with six digits.
        value: The metric, with six digits; None where the epoch has none.
        epoch: The epoch; None outside epochs.
    """

    kg: float
    value: float | None
    epoch: int | None


def front(history: History, metric: str, mode: str) -> list[Point]:
    """Return every new best of a metric, each at more emissions than the one before.

    Args:
        history: All records.
        metric: Key of the metric.
        mode: ``max`` or ``min``: which way it improves.
    """
    points: list[Point] = []
    sign, best = (1.0 if mode == "max" else -1.0), float("-inf")
    for row, value in zip(*history.metric(metric), strict=True):
        if not isfinite(value) or sign * value <= best:
            continue
        best, kg = sign * value, history.cumulative_kg[row]
        if points and kg <= points[-1].kg:
            points.pop()
        points.append(Point(kg, value, history.epoch_at(row)))
    return points


def curve(history: History, metric: str | None) -> Iterator[Point]:
    """Yield the emissions at the end of every epoch, with the last finite value of a metric that was fresh in it.

    Args:
        history: All records.
        metric: Key of the metric; None for none.
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
    """Return the points of a front that gain enough on the one before; always the first and the last.

    Args:
        points: The front.
        most: The most points to return, from 3.
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
    """Return points of a curve at equal distances; always the last.

    Args:
        points: The curve.
        most: The most points to return.
    """
    if len(points) <= most:
        return list(points)
    return [points[-(-(at + 1) * len(points) // most) - 1] for at in range(most)]

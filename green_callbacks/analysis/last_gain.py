"""The price of the last gain in quality."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Final

from green_callbacks.metrics import Metric
from green_callbacks.records import History
from green_callbacks.text.wording import percent

_LAST_SHARE: Final = 0.05
"""Share of the whole gain that is priced where a metric has no points, as a ratio."""

_SCALES: Final = (1.0, 100.0)
"""Upper ends of the scales that have points, in units of the metric. Both scales begin at 0."""


@dataclass(frozen=True, slots=True)
class LastGain:
    """The last interval of a metric's improvement, with its emissions.

    Attributes:
        what: Name of the interval, to be followed by the metric's name, such as ``point of`` or ``5 % of the gain in``.
        start: Value of the metric at the beginning of the interval.
        best: Best value of the metric.
        cost_kg: Emissions between the two values, in kgCO2e.
        after_kg: Emissions after the best value was reached, in kgCO2e.

    Example:
        >>> gain = LastGain(what="point of", start=0.92, best=0.93, cost_kg=0.2, after_kg=0.0)
        >>> f"The last {gain.what} val_acc cost {gain.cost_kg} kg."
        'The last point of val_acc cost 0.2 kg.'
    """

    what: str
    start: float
    best: float
    cost_kg: float
    after_kg: float


def last_gain(history: History, metric: Metric) -> LastGain | None:
    """Return the emissions of the last point of a metric.

    A point is 0.01 where larger is better and all values lie between 0 and 1. It is 1 where they lie between 0 and 100.
    Other metrics have no points. Their interval is the last 5 % of the gain since the first value, as it is where the
    whole gain is at most a point.

    The interval begins where the best value so far first came within that distance of the final best value. Between two
    values, the metric is assumed to change linearly with the emissions.

    Args:
        history: All records.
        metric: The metric.

    Returns:
        The interval and its emissions. None if the metric has fewer than two values or never exceeded its first value.

    Example:
        >>> from green_callbacks import EpochRecord, History
        >>> history = History(
        ...     EpochRecord.scripted(epoch=epoch, emissions_kg=1.0, metrics={"val_acc": value})
        ...     for epoch, value in enumerate([0.5, 0.75, 0.77])
        ... )
        >>> round(last_gain(history, Metric("val_acc", "max")).cost_kg, 6)
        0.5
    """
    column = history.metric(metric.name)
    sign = 1.0 if metric.rises else -1.0
    known = [(row, value) for row, value in zip(column.rows, column.values, strict=True) if isfinite(value)]
    values = [sign * value for _, value in known]
    spent_kg = [history.cumulative_kg[row] for row, _ in known]
    if not values or max(values) <= values[0]:
        return None
    best = max(values)
    scale = scale_point(values) if metric.rises else None
    gain = best - values[0]
    if scale is not None and gain > scale:
        what, distance = "point of", scale
    else:
        what, distance = f"{percent(_LAST_SHARE)} of the gain in", _LAST_SHARE * gain
    best_kg = spent_kg[values.index(best)]
    return LastGain(
        what=what,
        start=sign * (best - distance),
        best=sign * best,
        cost_kg=best_kg - _spent_at(best - distance, values, spent_kg),
        after_kg=history.emissions_kg - best_kg,
    )


def scale_point(values: Sequence[float]) -> float | None:
    """Return the size of a point, which is a hundredth of the scale that all values lie on.

    Args:
        values: Finite values of a metric.

    Returns:
        0.01 on the scale from 0 to 1, and 1 on the scale from 0 to 100. None on any other scale.

    Example:
        >>> scale_point([0.5, 0.93]), scale_point([50.0, 93.0]), scale_point([-1.0, 0.5])
        (0.01, 1.0, None)
    """
    scales = (scale for scale in _SCALES if min(values) >= 0 and max(values) <= scale)
    return next((scale / 100 for scale in scales), None)


def _spent_at(target: float, values: Sequence[float], spent_kg: Sequence[float]) -> float:
    """Return the emissions at which a metric first reached a target above its first value."""
    steps = zip(pairwise(values), pairwise(spent_kg), strict=True)
    (before, after), (from_kg, to_kg) = next(step for step in steps if step[0][1] >= target)
    return from_kg + (to_kg - from_kg) * (target - before) / (after - before)

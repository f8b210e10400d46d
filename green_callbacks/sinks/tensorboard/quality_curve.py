"""The curve of a model's quality over the emissions so far."""

from collections.abc import Iterator
from math import isfinite
from typing import Final, NamedTuple

from green_callbacks.metrics import Direction, improves, quality_metric
from green_callbacks.records import EpochRecord, History
from green_callbacks.sinks.base import RunContext
from green_callbacks.sinks.tensorboard.chart_layout import QUALITY, SMALL_QUALITY
from green_callbacks.units import MICROGRAMS_PER_KG, MILLIGRAMS_PER_KG

_MOST_POINTS: Final = 1000
"""Number of points that TensorBoard keeps of a curve."""

_SMALL_KG: Final = 1e-4
"""Emissions in kgCO2e up to which there is also a curve over micrograms. Over milligrams it would have few points."""


class QualityPoint(NamedTuple):
    """A point of the curve.

    Attributes:
        tag: Name of the curve.
        value: Value of the metric.
        step: Emissions so far, in whole mg or µg.
    """

    tag: str
    value: float
    step: int


class QualityCurve:
    """Draws the watched metric, or else the first validation metric, over the emissions.

    Args:
        context: Facts about the run.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self.metric = quality_metric(context.monitor, context.before.metric_names)

    def points(self, record: EpochRecord, spent_kg: float | None) -> list[QualityPoint]:
        """Return the points of a record.

        Args:
            record: The record.
            spent_kg: Emissions of the run up to the end of the record, in kgCO2e. None if nothing was measured.
        """
        self.metric = quality_metric(self._context.monitor or self.metric, record.metrics)
        value = None if self.metric is None else record.metrics.get(self.metric)
        return [] if value is None or spent_kg is None else self._points(value, spent_kg)

    def points_so_far(self, history: History) -> Iterator[tuple[int, QualityPoint]]:
        """Yield the points of all records with their rows, as many points as TensorBoard keeps.

        Args:
            history: The records.
        """
        if self.metric is None:
            return
        rows, values = history.metric(self.metric)
        spent_kg = history.cumulative_kg
        every = len(rows) // _MOST_POINTS + 1
        for row, value in list(zip(rows, values, strict=True))[::-every][::-1]:
            yield from ((row, point) for point in self._points(value, spent_kg[row]))

    @property
    def words(self) -> str | None:
        """The metric and its mode in words. None while there is no metric."""
        if self.metric is None:
            return None
        return f"{self.metric}, {'more' if self._way(self.metric) == 'max' else 'less'} is better"

    def _way(self, metric: str) -> Direction:
        return improves(metric, self._context.monitor, self._context.mode)

    def _points(self, value: float, spent_kg: float) -> list[QualityPoint]:
        if self.metric is None or not isfinite(value):
            return []
        way = self._way(self.metric)
        points = [QualityPoint(QUALITY[way], value, round(spent_kg * MILLIGRAMS_PER_KG))]
        if spent_kg <= _SMALL_KG:
            points.append(QualityPoint(SMALL_QUALITY[way], value, round(spent_kg * MICROGRAMS_PER_KG)))
        return points

"""The values of a metric over a run, each with what the run had cost until then."""

from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple, Self, overload

from green_callbacks.records import History
from green_callbacks.units import joules_to_kwh

_NO_EPOCH: Final = -1
"""Stands for a value outside epochs. No epoch has this index."""


class RunPoint(NamedTuple):
    """A value of a metric, and the whole cost of the run until then.

    The cost holds everything that the run did before, such as set-up, validation and repeated epochs.

    Attributes:
        epoch: Index of the epoch. None outside epochs.
        value: Value of the metric.
        kwh: Energy at the computers so far, in kWh.
        kg: Emissions so far, in kgCO2e.
        seconds: Accounted time so far, in s.

    Example:
        >>> RunPoint(epoch=3, value=0.92, kwh=0.4, kg=0.1, seconds=600.0).kwh
        0.4
    """

    epoch: int | None
    value: float
    kwh: float
    kg: float
    seconds: float


class RunPoints(Sequence[RunPoint]):
    """The points of a run, in 40 bytes a point. Points are made when they are read.

    Args:
        points: The points, in order.

    Example:
        >>> points = RunPoints([RunPoint(0, 0.5, 0.1, 0.03, 60.0), RunPoint(1, 0.7, 0.2, 0.06, 120.0)])
        >>> len(points), points[-1].value
        (2, 0.7)
    """

    __slots__ = ("_epochs", "_numbers")

    def __init__(self, points: Sequence[RunPoint] = ()) -> None:
        self._epochs = array("q", (_NO_EPOCH if each.epoch is None else each.epoch for each in points))
        self._numbers = tuple(array("d", column) for column in zip(*(each[1:] for each in points), strict=True))

    @classmethod
    def of(cls, history: History, metric: str) -> Self:
        """Return the points of a metric in a history, in the order of the records.

        Args:
            history: All records of a run.
            metric: Key of the metric.
        """
        column, joules = history.metric(metric), history.cumulative_joules
        kg, seconds = history.cumulative_kg, history.cumulative_seconds
        return cls(
            [
                RunPoint(history.epoch_at(row), value, joules_to_kwh(joules[row]), kg[row], seconds[row])
                for row, value in zip(column.rows, column.values, strict=True)
            ]
        )

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self._epochs)

    @overload
    def __getitem__(self, at: int) -> RunPoint: ...

    @overload
    def __getitem__(self, at: slice) -> list[RunPoint]: ...

    def __getitem__(self, at: int | slice) -> RunPoint | list[RunPoint]:
        """Return one point, or the list of points of a slice."""
        places = range(len(self))[at]
        return self._point(places) if isinstance(places, int) else [self._point(each) for each in places]

    def _point(self, at: int) -> RunPoint:
        epoch = self._epochs[at]
        value, kwh, kg, seconds = (column[at] for column in self._numbers)
        return RunPoint(None if epoch == _NO_EPOCH else epoch, value, kwh, kg, seconds)

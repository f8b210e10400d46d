"""A quantity that is constant for a while and then another: values at a time, and exact means over an interval."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple


class Point(NamedTuple):
    """A value and when it holds.

    Attributes:
        start: Beginning in POSIX seconds.
        end: End in POSIX seconds; not part of it.
        g_per_kwh: Carbon intensity in gCO2e/kWh.
        flags: What a reader must know of the value.
    """

    start: float
    end: float
    g_per_kwh: float
    flags: tuple[str, ...] = ()


class Level(NamedTuple):
    """What holds at a time or, in the mean, over an interval.

    Attributes:
        g_per_kwh: Carbon intensity in gCO2e/kWh.
        is_held: Whether a value stands in for a time at which none is known.
        flags: Flags of all values that count.
        since: Beginning of the first of them, in POSIX seconds.
    """

    g_per_kwh: float
    is_held: bool
    flags: tuple[str, ...]
    since: float


class Steps:
    """Values one after the other; where none is known the last one is held, and before all others the first.

    Args:
        points: At least one, with different beginnings. Where two overlap the later one counts.
    """

    def __init__(self, points: Iterable[Point]) -> None:
        ordered = sorted(points)
        clipped = (this._replace(end=min(this.end, following.start)) for this, following in pairwise(ordered))
        self.points = (*clipped, ordered[-1])
        self._starts = [point.start for point in self.points]
        # Sums up to each beginning, so that a mean costs the same over an hour and over a year.
        self._integrals, self._gaps = [0.0], [0.0]
        for this, following in pairwise(self.points):
            self._integrals.append(self._integrals[-1] + this.g_per_kwh * (following.start - this.start))
            self._gaps.append(self._gaps[-1] + following.start - this.end)

    @property
    def low(self) -> float:
        """Smallest value in gCO2e/kWh."""
        return min(point.g_per_kwh for point in self.points)

    @property
    def high(self) -> float:
        """Largest value in gCO2e/kWh."""
        return max(point.g_per_kwh for point in self.points)

    def point(self, time: float) -> Point:
        """Return the value that holds, or stands in, at a time in POSIX seconds."""
        return self.points[max(0, bisect_right(self._starts, time) - 1)]

    def at(self, time: float) -> Level:
        """Return what holds at a time.

        Args:
            time: POSIX seconds.
        """
        point = self.point(time)
        return Level(point.g_per_kwh, not point.start <= time < point.end, point.flags, point.start)

    def over(self, start: float, end: float) -> Level:
        """Return the mean over an interval, weighted by time.

        Args:
            start: Beginning in POSIX seconds.
            end: End in POSIX seconds.
        """
        if end <= start:
            return self.at(start)
        first = max(0, bisect_right(self._starts, start) - 1)
        last = max(0, bisect_left(self._starts, end) - 1)
        touched = self.points[first : last + 1]
        flags = tuple(dict.fromkeys(flag for point in touched for flag in point.flags))
        is_held = start < self._starts[0] or self._unknown(last, end) > self._unknown(first, start)
        return Level(self._mean(first, last, start, end), is_held, flags, touched[0].start)

    def _mean(self, first: int, last: int, start: float, end: float) -> float:
        if first == last:
            return self.points[first].g_per_kwh
        head = self.points[first].g_per_kwh * (self._starts[first + 1] - start)
        between = self._integrals[last] - self._integrals[first + 1]
        tail = self.points[last].g_per_kwh * (end - self._starts[last])
        return (head + between + tail) / (end - start)

    def _unknown(self, index: int, time: float) -> float:
        """Return for how many seconds nothing was known, from the first value up to a time in the step at an index."""
        return self._gaps[index] + max(0.0, time - self.points[index].end)

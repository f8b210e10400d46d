"""A quantity that changes in steps, with its value at a time and its exact mean over an interval."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple


class Step(NamedTuple):
    """A value and its interval.

    Attributes:
        start: Beginning, in s since 1970.
        end: End, in s since 1970. The end itself does not belong to the interval.
        g_per_kwh: Carbon intensity in gCO2e/kWh.
        flags: Cautions about the value.
    """

    start: float
    end: float
    g_per_kwh: float
    flags: tuple[str, ...] = ()


class StepValue(NamedTuple):
    """The value at a time, or the mean over an interval.

    Attributes:
        g_per_kwh: Carbon intensity in gCO2e/kWh.
        is_held: Whether a known value was extended over a time without a value.
        flags: Flags of all values that contribute.
        since: Beginning of the first of these values, in s since 1970.
    """

    g_per_kwh: float
    is_held: bool
    flags: tuple[str, ...]
    since: float


class StepFunction:
    """A sequence of values. A gap keeps the last value before it, and times before all values get the first.

    Args:
        steps: One or more steps with different beginnings. Where two steps overlap, the later step counts.
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        ordered = sorted(steps)
        clipped = (this._replace(end=min(this.end, following.start)) for this, following in pairwise(ordered))
        self.steps = (*clipped, ordered[-1])
        self._starts = [step.start for step in self.steps]
        # Prefix sums make the mean over a year as cheap as the mean over an hour.
        self._integrals, self._gaps = [0.0], [0.0]
        for this, following in pairwise(self.steps):
            self._integrals.append(self._integrals[-1] + this.g_per_kwh * (following.start - this.start))
            self._gaps.append(self._gaps[-1] + following.start - this.end)

    @property
    def low(self) -> float:
        """Smallest value in gCO2e/kWh."""
        return min(step.g_per_kwh for step in self.steps)

    @property
    def high(self) -> float:
        """Largest value in gCO2e/kWh."""
        return max(step.g_per_kwh for step in self.steps)

    def step_at(self, time: float) -> Step:
        """Return the step that counts at a time.

        Args:
            time: Time in s since 1970.
        """
        return self.steps[max(0, bisect_right(self._starts, time) - 1)]

    def at(self, time: float) -> StepValue:
        """Return the value at a time.

        Args:
            time: Time in s since 1970.
        """
        step = self.step_at(time)
        return StepValue(step.g_per_kwh, not step.start <= time < step.end, step.flags, step.start)

    def over(self, start: float, end: float) -> StepValue:
        """Return the mean over an interval, weighted by time.

        Args:
            start: Beginning, in s since 1970.
            end: End, in s since 1970.
        """
        if end <= start:
            return self.at(start)
        first = max(0, bisect_right(self._starts, start) - 1)
        last = max(0, bisect_left(self._starts, end) - 1)
        touched = self.steps[first : last + 1]
        flags = tuple(dict.fromkeys(flag for step in touched for flag in step.flags))
        is_held = start < self._starts[0] or self._unknown(last, end) > self._unknown(first, start)
        return StepValue(self._mean(first, last, start, end), is_held, flags, touched[0].start)

    def _mean(self, first: int, last: int, start: float, end: float) -> float:
        if first == last:
            return self.steps[first].g_per_kwh
        head = self.steps[first].g_per_kwh * (self._starts[first + 1] - start)
        between = self._integrals[last] - self._integrals[first + 1]
        tail = self.steps[last].g_per_kwh * (end - self._starts[last])
        return (head + between + tail) / (end - start)

    def _unknown(self, index: int, time: float) -> float:
        """Return how many seconds without a value lie between the first value and a time in the step at an index."""
        return self._gaps[index] + max(0.0, time - self.steps[index].end)

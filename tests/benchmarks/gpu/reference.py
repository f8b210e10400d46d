"""What the driver itself says meanwhile: its energy counter and its present power, read on a thread of their own."""

import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf
from statistics import linear_regression, median, pstdev
from typing import Any, NamedTuple, Self

POWER_AVERAGE, POWER_INSTANT = 185, 186
_INTERVAL_SECONDS = 0.01
_PATIENCE_SECONDS = 5.0
_FEWEST, _ENOUGH = 2, 10
"""Points that a line needs, and refreshes from which on a grid is trusted."""

Point = tuple[float, float]
"""Monotonic seconds, and a value."""


def counter_joules(nvml: Any, handle: Any) -> float:
    """Return what the energy counter shows, in J."""
    return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3


def field_watts(nvml: Any, handle: Any, field: int) -> float:
    """Return a power that is a field value, in W."""
    value = nvml.nvmlDeviceGetFieldValues(handle, [(field, 0)])[0]
    if value.nvmlReturn != 0:
        raise nvml.NVMLError(value.nvmlReturn)
    return int(value.value.uiVal) / 1e3


def plain_watts(nvml: Any, handle: Any) -> float:
    """Return what ``nvidia-smi`` shows first, in W: an average of the last second on many chips."""
    return float(nvml.nvmlDeviceGetPowerUsage(handle)) / 1e3


def present_watts(nvml: Any, handle: Any) -> Callable[[], float]:
    """Return a function for the power of this instant, or for the nearest to it that the GPU reports."""
    try:
        field_watts(nvml, handle, POWER_INSTANT)
    except nvml.NVMLError:
        return lambda: plain_watts(nvml, handle)
    return lambda: field_watts(nvml, handle, POWER_INSTANT)


class Reference:
    """Reads counter and power every 10 ms while a block runs.

    Attributes:
        counter: When the counter was seen to change, and what it then showed, in J.
        power: Power in W.
        problem: The last error of the driver; None if there was none.
    """

    def __init__(self, nvml: Any, handle: Any) -> None:
        self.counter: list[Point] = []
        self.power: list[Point] = []
        self.problem: str | None = None
        self._nvml, self._handle = nvml, handle
        self._watts = present_watts(nvml, handle)
        self._unchanged_seconds = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reference", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(_PATIENCE_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(_INTERVAL_SECONDS):
            for read in (self._look_at_counter, self._look_at_power):
                try:
                    read()
                except self._nvml.NVMLError as error:
                    self.problem = f"{read.__name__}: {error}"

    def _look_at_counter(self) -> None:
        before = time.monotonic()
        joules = counter_joules(self._nvml, self._handle)
        after = time.monotonic()
        if self.counter and joules == self.counter[-1][1]:
            self._unchanged_seconds = before
        else:
            self.counter.append(((self._unchanged_seconds + after) / 2, joules))
            self._unchanged_seconds = before

    def _look_at_power(self) -> None:
        before = time.monotonic()
        watts = self._watts()
        self.power.append(((before + time.monotonic()) / 2, watts))

    def refreshes(self) -> list[Point]:
        """Return the refreshes of the counter, on an even grid if they lie as near to one as they are seen."""
        points = self.counter[1:]  # the first is when the thread began, not when the counter changed
        if len(points) < _ENOUGH:
            return points
        line = Line.through([seconds for seconds, _ in points])
        if line.spread_seconds > _INTERVAL_SECONDS:
            return points
        return [(at, joules) for at, (_, joules) in zip(line.fitted, points, strict=True)]

    def counted_joules(self, begin: float, end: float) -> float | None:
        """Return by how much the counter rose between two instants; between refreshes by the shape of the power."""
        points = self.refreshes()
        if len(points) < _FEWEST or len(self.power) < _FEWEST:
            return None
        return self._counted(points, end) - self._counted(points, begin)

    def _counted(self, points: Sequence[Point], seconds: float) -> float:
        (sooner, first), (later, last) = around(points, seconds)
        whole = self._integral(sooner, later)
        part = self._integral(sooner, seconds) / whole if whole > 0 else (seconds - sooner) / (later - sooner)
        return first + (last - first) * part

    def sampled_joules(self, begin: float, end: float) -> float | None:
        """Return the integral of the sampled power between two instants, by trapezoids."""
        return self._integral(begin, end) if len(self.power) >= _FEWEST else None

    def _integral(self, begin: float, end: float) -> float:
        if end < begin:
            return -self._integral(end, begin)
        power = self.power
        inside = power[bisect_right(power, (begin, inf)) : bisect_left(power, (end,))]
        points = [(begin, value_at(power, begin)), *inside, (end, value_at(power, end))]
        return sum((later - sooner) * (last + first) / 2 for (sooner, first), (later, last) in pairwise(points))


class Line(NamedTuple):
    """A straight line through the times of refreshes, against their numbers.

    Attributes:
        period_seconds: Time from one refresh to the next.
        numbers: Number of each refresh, from 0; one that was missed leaves one out.
        fitted: Where the line has each refresh, in monotonic s.
        errors: By how much each was seen later than that, in s.
    """

    period_seconds: float
    numbers: list[int]
    fitted: list[float]
    errors: list[float]

    @property
    def spread_seconds(self) -> float:
        """Standard deviation of the errors, in s."""
        return pstdev(self.errors)

    @classmethod
    def through(cls, seen: Sequence[float]) -> Self:
        """Fit a line through times, of which there are two at least."""
        rough = median(later - sooner for sooner, later in pairwise(seen)) or 1.0
        numbers = [0]
        for sooner, later in pairwise(seen):
            numbers.append(numbers[-1] + max(1, round((later - sooner) / rough)))
        period, offset = linear_regression(numbers, seen)
        fitted = [offset + period * number for number in numbers]
        return cls(period, numbers, fitted, [at - there for at, there in zip(seen, fitted, strict=True)])


def around(points: Sequence[Point], seconds: float) -> tuple[Point, Point]:
    """Return the points before and after an instant, or the nearest two."""
    place = min(max(bisect_left(points, (seconds,)), 1), len(points) - 1)
    return points[place - 1], points[place]


def value_at(points: Sequence[Point], seconds: float) -> float:
    """Return the value at an instant: on straight lines between points, and as at the nearest one beyond them."""
    (sooner, first), (later, last) = around(points, seconds)
    seconds = min(max(seconds, sooner), later)
    return first + (last - first) * (seconds - sooner) / max(later - sooner, 1e-9)

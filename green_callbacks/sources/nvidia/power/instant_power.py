"""The instantaneous power between its refreshes, as a curve with an uncertainty."""

from collections import deque
from itertools import pairwise
from math import inf
from typing import Final

_KEPT_SECONDS: Final = 1.5
"""Time for which samples are kept, in s. It exceeds the averaging time of 1 s."""
_LEAST_REFRESH_SECONDS: Final = 0.02
"""Shortest refresh period of the power on NVIDIA GPUs, in s (arXiv 2312.02741)."""
_MOST_REFRESH_SECONDS: Final = 0.1
"""Longest refresh period of the power on NVIDIA GPUs, in s (same source)."""
_AVERAGED_AGE_SECONDS: Final = 0.0125
"""Mean age of the power at a refresh, in s. A100 and H100 average over 25 ms (same source)."""
_LEVEL_SECONDS: Final = 5.0
"""Time after which a power level is forgotten, in s (by experiment)."""
_JUMP_FORGETTING: Final = 0.97
"""Weight of earlier refreshes beside the newest in the variance of jumps (by experiment)."""
_UNIFORM_VARIANCE: Final = 12.0
"""Squared width of a uniform distribution over its variance."""
_LATE_REFRESHES: Final = 2.5
"""Number of refresh periods without a sample from which they form a hole (by experiment)."""


class Levels:
    """The power levels of the last seconds. Between two refreshes, the power may have returned to any of them.

    Args:
        seconds: Monotonic time of the first level, in s.
        watts: The power then, in W.
    """

    def __init__(self, seconds: float, watts: float) -> None:
        self._levels: deque[tuple[float, float]] = deque([(seconds, watts)])

    def add(self, seconds: float, watts: float) -> None:
        """Take in a refresh.

        Args:
            seconds: Monotonic time, in s.
            watts: The power, in W.
        """
        self._levels.append((seconds, watts))
        while self._levels[0][0] < seconds - _LEVEL_SECONDS:
            self._levels.popleft()

    def reach(self) -> tuple[float, float]:
        """Return how much lower and how much higher than last seen the power may be, in W."""
        powers = [watts for _, watts in self._levels]
        return powers[-1] - min(powers), max(powers) - powers[-1]


class Instants:
    """A curve through the observed refreshes of the power, with the uncertainty of its integral.

    Args:
        seconds: Monotonic time of the first sample, in s.
        watts: The power then, in W.
    """

    def __init__(self, seconds: float, watts: float) -> None:
        self._means: deque[tuple[float, float]] = deque([(seconds, watts)])
        self.levels = Levels(seconds, watts)
        self._knots: deque[tuple[float, float]] = deque([(seconds - _AVERAGED_AGE_SECONDS, watts)])
        self._sampled_seconds = seconds
        self._changed_seconds: float | None = None
        self._refresh_seconds = _MOST_REFRESH_SECONDS
        self._jump_square_watts = 0.0

    @property
    def watts(self) -> float:
        """The last power, in W."""
        return self._knots[-1][1]

    def add(self, seconds: float, watts: float, since_seconds: float | None = None) -> None:
        """Take in a sample. A sample with the same power shows that the last refresh still holds.

        Args:
            seconds: Monotonic time, in s.
            watts: The power, in W.
            since_seconds: Longest possible time since its refresh, in s. Defaults to the time since the last sample.
        """
        last_seconds, last_watts = self._knots[-1]
        step = seconds - self._sampled_seconds
        if step <= 0:
            return
        step = step if since_seconds is None else min(step, since_seconds)
        if watts != last_watts:
            refreshed = seconds - step / 2
            if self._changed_seconds is not None:
                between = refreshed - self._changed_seconds
                self._refresh_seconds = min(self._refresh_seconds, max(_LEAST_REFRESH_SECONDS, between))
            self._changed_seconds = refreshed
            self._jump(seconds - _AVERAGED_AGE_SECONDS, watts, step)
            self._mean(refreshed, watts)
        elif seconds - last_seconds >= self._refresh_seconds + step + _AVERAGED_AGE_SECONDS:
            self._jump(seconds - step - _AVERAGED_AGE_SECONDS, watts, step)
            self._mean(seconds - step, watts)
        self._sampled_seconds = seconds

    def _mean(self, seconds: float, watts: float) -> None:
        # Refreshes without a change are not seen. So the last value holds up to one refresh ago.
        if seconds - self._refresh_seconds > self._means[-1][0]:
            self._means.append((seconds - self._refresh_seconds, self._means[-1][1]))
        self._means.append((seconds, watts))
        self.levels.add(seconds, watts)
        while self._means[0][0] < seconds - _KEPT_SECONDS:
            self._means.popleft()

    def integral(self, begin: float, end: float) -> tuple[float, float]:
        """Return the energy between two instants by the curve, in J, and its variance in J².

        Args:
            begin: The first instant, in monotonic s.
            end: The last instant, in monotonic s.
        """
        knots = self._knots
        joules = variance = 0.0
        first_seconds, first_watts = knots[0]
        if begin < first_seconds:
            joules += first_watts * (min(end, first_seconds) - begin)
        for (left, before), (right, after) in pairwise(knots):
            low, high = max(left, begin), min(right, end)
            if high <= low:
                continue
            slope = (after - before) / (right - left)
            joules += (high - low) * (before + slope * ((low + high) / 2 - left))
            part = (high - low) / (right - left)
            if right - left > _LATE_REFRESHES * self._refresh_seconds:  # the power may have jumped there and back
                variance += self._jump_square_watts * (right - left) ** 2 / _UNIFORM_VARIANCE * part
            variance += ((after - before) * (right - left)) ** 2 / _UNIFORM_VARIANCE * part
        last_seconds, last_watts = knots[-1]
        held = end - max(last_seconds, begin)
        if held > 0:
            joules += last_watts * held
            # The power jumps as often since the last refresh as between other refreshes.
            variance += self._jump_square_watts * held**3 / (3 * self._refresh_seconds)
        return joules, variance

    def means(self, begin: float, end: float) -> tuple[float, float]:
        """Return the energy if each refresh is the mean power since the refresh before it, in J, and a variance of 0.

        GA102 and newer GeForce chips report such means.

        Args:
            begin: The first instant, in monotonic s.
            end: The last instant, in monotonic s.
        """
        joules, left = 0.0, -inf
        for right, watts in self._means:
            joules += watts * max(0.0, min(right, end) - max(left, begin))
            left = right
        return joules + self.watts * max(0.0, end - max(left, begin)), 0.0

    def _jump(self, seconds: float, watts: float, step: float) -> None:
        """Add a refresh. The power before it is known up to the previous refresh."""
        last_seconds, last_watts = self._knots[-1]
        refreshes = max(1.0, (seconds - last_seconds) / self._refresh_seconds)
        self._jump_square_watts *= _JUMP_FORGETTING**refreshes
        self._jump_square_watts += (1 - _JUMP_FORGETTING) * (watts - last_watts) ** 2
        # If samples came late, the power before is known only up to the previous sample.
        before = min(seconds - step - self._refresh_seconds, self._sampled_seconds - _AVERAGED_AGE_SECONDS)
        if before > last_seconds:
            self._knots.append((before, last_watts))
        if seconds > self._knots[-1][0]:
            self._knots.append((seconds, watts))
        while self._knots[1][0] < seconds - _KEPT_SECONDS:
            self._knots.popleft()

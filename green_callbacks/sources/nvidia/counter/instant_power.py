"""The power of the instant as it was seen: refreshed now and then, and not known in between."""

from collections import deque
from itertools import pairwise
from math import inf
from typing import Final

_KEPT_SECONDS: Final = 1.5
_LEAST_REFRESH_SECONDS, _MOST_REFRESH_SECONDS = 0.02, 0.1
"""Refresh periods of the power that were seen on NVIDIA GPUs (arXiv 2312.02741)."""
_LOOKS_AHEAD_SECONDS: Final = 0.0125
"""Half of the time over which a refresh is averaged, 25 ms of every 100 ms on A100 and H100 (same source)."""
_REACH_SECONDS: Final = 5.0
"""For how long a power that was seen may come back unseen, in s."""
_FORGETTING: Final = 0.97
_UNIFORM: Final = 12.0
_LATE_REFRESHES: Final = 2.5
"""So many refreshes without a sample are a hole."""
_SAME: Final = 1e-9


class Levels:
    """The powers of the last seconds: between two refreshes, the power may have come back to any of them.

    Args:
        seconds: Monotonic time of the first, in s.
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
        while self._levels[0][0] < seconds - _REACH_SECONDS:
            self._levels.popleft()

    def reach(self) -> tuple[float, float]:
        """Return by how much the power may be lower and higher than it was last seen, in W."""
        powers = [watts for _, watts in self._levels]
        return powers[-1] - min(powers), max(powers) - powers[-1]


class Instants:
    """A curve through the refreshes of the power that were seen, and how far off its integral may be.

    Args:
        seconds: Monotonic time of the first sample, in s.
        watts: The power then, in W.
    """

    def __init__(self, seconds: float, watts: float) -> None:
        self._means: deque[tuple[float, float]] = deque([(seconds, watts)])
        self.levels = Levels(seconds, watts)
        self._knots: deque[tuple[float, float]] = deque([(seconds - _LOOKS_AHEAD_SECONDS, watts)])
        self._sampled_seconds = seconds
        self._changed_seconds: float | None = None
        self._refresh_seconds = _MOST_REFRESH_SECONDS
        self._jump_square_watts = 0.0

    @property
    def watts(self) -> float:
        """The last power, in W."""
        return self._knots[-1][1]

    def add(self, seconds: float, watts: float, since_seconds: float | None = None) -> None:
        """Take in a sample; one that is not new says that the last still holds.

        Args:
            seconds: Monotonic time, in s.
            watts: The power, in W.
            since_seconds: How long ago it was refreshed at most, in s; since the last sample unless given.
        """
        last_seconds, last_watts = self._knots[-1]
        step = seconds - self._sampled_seconds
        if step <= 0:
            return
        step = step if since_seconds is None else min(step, since_seconds)
        if abs(watts - last_watts) > _SAME:
            refreshed = seconds - step / 2
            if self._changed_seconds is not None:
                between = refreshed - self._changed_seconds
                self._refresh_seconds = min(self._refresh_seconds, max(_LEAST_REFRESH_SECONDS, between))
            self._changed_seconds = refreshed
            self._jump(seconds - _LOOKS_AHEAD_SECONDS, watts, step)
            self._mean(refreshed, watts)
        elif seconds - last_seconds >= self._refresh_seconds + step + _LOOKS_AHEAD_SECONDS:
            self._jump(seconds - step - _LOOKS_AHEAD_SECONDS, watts, step)
            self._mean(seconds - step, watts)
        self._sampled_seconds = seconds

    def _mean(self, seconds: float, watts: float) -> None:
        # Of refreshes that were not seen, as nothing changed, the last value holds up to one refresh ago.
        if seconds - self._refresh_seconds > self._means[-1][0]:
            self._means.append((seconds - self._refresh_seconds, self._means[-1][1]))
        self._means.append((seconds, watts))
        self.levels.add(seconds, watts)
        while self._means[0][0] < seconds - _KEPT_SECONDS:
            self._means.popleft()

    def integral(self, begin: float, end: float) -> tuple[float, float]:
        """Return the energy between two instants by the curve, in J, and its variance in J²."""
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
            if right - left > _LATE_REFRESHES * self._refresh_seconds:  # unseen, it may have jumped there and back
                variance += self._jump_square_watts * (right - left) ** 2 / _UNIFORM * part
            variance += ((after - before) * (right - left)) ** 2 / _UNIFORM * part
        last_seconds, last_watts = knots[-1]
        held = end - max(last_seconds, begin)
        if held > 0:
            joules += last_watts * held
            # It has jumped since the last refresh as often as between other refreshes.
            variance += self._jump_square_watts * held**3 / (3 * self._refresh_seconds)
        return joules, variance

    def means(self, begin: float, end: float) -> tuple[float, float]:
        """Return the same where each refresh is the mean since the refresh before it, as on GA102 and newer GeForce.

        Args:
            begin: The first instant, in monotonic s.
            end: The last.
        """
        joules, left = 0.0, -inf
        for right, watts in self._means:
            joules += watts * max(0.0, min(right, end) - max(left, begin))
            left = right
        return joules + self.watts * max(0.0, end - max(left, begin)), 0.0

    def _jump(self, seconds: float, watts: float, step: float) -> None:
        """Add a refresh; the power before it is known up to the refresh before."""
        last_seconds, last_watts = self._knots[-1]
        refreshes = max(1.0, (seconds - last_seconds) / self._refresh_seconds)
        self._jump_square_watts *= _FORGETTING**refreshes
        self._jump_square_watts += (1 - _FORGETTING) * (watts - last_watts) ** 2
        # Where samples came late, the power before is known up to the sample before only.
        before = min(seconds - step - self._refresh_seconds, self._sampled_seconds - _LOOKS_AHEAD_SECONDS)
        if before > last_seconds:
            self._knots.append((before, last_watts))
        if seconds > self._knots[-1][0]:
            self._knots.append((seconds, watts))
        while self._knots[1][0] < seconds - _KEPT_SECONDS:
            self._knots.popleft()

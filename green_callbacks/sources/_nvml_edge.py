"""What has run up since a counter's last refresh: an estimate that learns how well it does."""

from collections import deque
from math import sqrt

_MEAN_OVER_SECONDS = 5.0
_FORGETTING = 0.93
_TRUST_WATTS_SQUARE = 30.0**2
_PRACTICES = 40


class EdgePower:
    """Predicts the energy between a counter's last refresh and now, from the present power and the mean.

    Where power changes slowly the present power is the best guess, where it changes within a refresh the mean is: the
    weight is a regression on practice, that is on refreshes whose energy is known afterwards.

    Args:
        watts: Power to begin with, in W.
    """

    def __init__(self, watts: float) -> None:
        self.mean_watts = watts
        self._present_present = self._present_tick = _TRUST_WATTS_SQUARE
        self._misses: deque[float] = deque(maxlen=_PRACTICES)
        self._variance = 0.0

    @property
    def spread_watts(self) -> float:
        """Standard deviation of the power of single refreshes about the mean, in W."""
        return sqrt(self._variance)

    @property
    def persistence(self) -> float:
        """How much of a deviation of the present power from the mean holds for a whole refresh before it, 0 to 1."""
        return min(1.0, max(0.0, self._present_tick / self._present_present))

    def expected_watts(self, present_watts: float, part: float) -> float:
        """Return the mean power to expect since the last refresh.

        Args:
            present_watts: The power now, in W.
            part: Time since the refresh, in periods.
        """
        weight = 1 - (1 - self.persistence) * min(1.0, part)
        return max(0.0, self.mean_watts + weight * (present_watts - self.mean_watts))

    def miss_watts(self, part: float) -> float | None:
        """Return the error of :meth:`expected_watts` to expect, as a root mean square in W; None before any practice.

        Args:
            part: Time since the refresh, in periods.
        """
        if not self._misses:
            return None
        return sqrt(sum(miss * miss for miss in self._misses) / len(self._misses)) * min(1.0, part) ** 0.5

    def learn_mean(self, watts: float, seconds: float) -> None:
        """Take in the mean power of a stretch of time.

        Args:
            watts: The power in W.
            seconds: How long, in s.
        """
        self.mean_watts += (watts - self.mean_watts) * min(1.0, seconds / _MEAN_OVER_SECONDS)

    def practise(self, present_watts: float, tick_watts: float) -> None:
        """Take in a refresh whose energy is known.

        Args:
            present_watts: The power read just before it, in W.
            tick_watts: The mean power of the whole refresh, in W.
        """
        self._misses.append(tick_watts - self.expected_watts(present_watts, 1.0))
        present, tick = present_watts - self.mean_watts, tick_watts - self.mean_watts
        self._present_present = _FORGETTING * self._present_present + present * present
        self._present_tick = _FORGETTING * self._present_tick + present * tick
        self._variance = _FORGETTING * self._variance + (1 - _FORGETTING) * tick * tick

"""What has run up since a counter's last refresh: an estimate that learns how well it does."""

from collections import deque
from collections.abc import Callable, Generator
from math import exp, sqrt

_MEAN_OVER_SECONDS = 5.0
_FORGETTING = 0.93
_TRUST_WATTS_SQUARE = 30.0**2
_PRACTICES = 40
_LEAST_PERSISTENCE = 0.1
_LEAST_MEMORY = 0.25
_MODEL_WEIGHT = 1.6
_TINY = 1e-3
_SHORTEST_MEMORY, _LONGEST_MEMORY, _BISECTIONS = 0.05, 1000.0, 20
_TYPICAL_PART = 0.5
_DOUBT, _DOUBT_WEIGHT = 0.05, 0.3
_STEADY, _TELLING, _SELDOM = 0.02, 4, 0.5


Steps = Generator[float, None, None]
"""Work that says, in monotonic s, when it wants to go on."""


Edge = tuple[float, float, float]
"""The energy at one instant, and how much less and how much more it may be, in J."""


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
        self._steady: deque[bool] = deque(maxlen=_PRACTICES)
        self._variance = 0.0
        self._present_variance = 0.0
        self._memory = self._least_memory = self._fitted_memory()
        self._miss_variance = self._fitted_miss_variance()
        self.step_share = 1.0
        """The share of refreshes in which the power is not the same throughout: it changed in them."""

    @property
    def spread_watts(self) -> float:
        """Standard deviation of the power of single refreshes about the mean, in W."""
        return sqrt(self._variance)

    @property
    def persistence(self) -> float:
        """How much of a deviation of the present power from the mean holds for a whole refresh before it, 0 to 1."""
        return min(1.0, max(0.0, self._present_tick / self._present_present))

    def _fitted_memory(self) -> float:
        """Return the periods over which the power's correlation falls to 1/e, if it does so exponentially."""
        wanted = max(_LEAST_PERSISTENCE, self.persistence)
        return _fitted(lambda memory: _mean_correlation(_TYPICAL_PART / memory), wanted)

    def expected_watts(self, present_watts: float, part: float) -> float:
        """Return the mean power to expect since the last refresh.

        Args:
            present_watts: The power now, in W.
            part: Time since the refresh, in periods.
        """
        weight = _mean_correlation(part / self._memory)
        return max(0.0, self.mean_watts + weight * (present_watts - self.mean_watts))

    def miss_watts(self, part: float) -> float:
        """Return the error of :meth:`expected_watts` to expect, as a root mean square in W.

        Args:
            part: Time since the refresh, in periods.
        """
        return sqrt(_left_variance(part / self._least_memory) * self._miss_variance)

    def _fitted_miss_variance(self) -> float:
        """Return what :meth:`miss_watts` squared comes to, per part of the variance that is left: as practised."""
        practised = self._mean_square_miss() / _left_variance(_TYPICAL_PART / self._least_memory)
        return max(practised, _MODEL_WEIGHT * self._present_variance)

    def _mean_square_miss(self) -> float:
        """Return what practice says of :meth:`miss_watts`, squared; without any, a twentieth of the mean is doubted."""
        doubted = _DOUBT_WEIGHT * (_DOUBT * self.mean_watts) ** 2
        return (sum(miss * miss for miss in self._misses) + doubted) / (len(self._misses) + _DOUBT_WEIGHT)

    def _averaged_memory(self) -> float:
        """Return the same by how much less the mean of a refresh varies than the power at an instant."""
        return _fitted(lambda memory: _mean_variance(1 / memory), self._variance / (self._present_variance + _TINY))

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
        self._misses.append(tick_watts - self.expected_watts(present_watts, _TYPICAL_PART))
        present, tick = present_watts - self.mean_watts, tick_watts - self.mean_watts
        self._present_present = _FORGETTING * self._present_present + present * present
        self._present_tick = _FORGETTING * self._present_tick + present * tick
        self._present_variance = _FORGETTING * self._present_variance + (1 - _FORGETTING) * present * present
        self._variance = _FORGETTING * self._variance + (1 - _FORGETTING) * tick * tick
        self._memory = self._fitted_memory()
        self._least_memory = max(_LEAST_MEMORY, min(self._memory, self._averaged_memory()))
        self._miss_variance = self._fitted_miss_variance()
        self._steady.append(abs(tick_watts - present_watts) <= _STEADY * tick_watts)
        self.step_share = 1 - sum(self._steady) / len(self._steady) if len(self._steady) >= _TELLING else 1.0

    @property
    def is_stepwise(self) -> bool:
        """Whether the power is the same throughout most refreshes."""
        return self.step_share <= _SELDOM


def _mean_correlation(spans: float) -> float:
    """Return the correlation of a value with the mean before it, of an exponentially correlated signal.

    Args:
        spans: The time, in units of the signal's memory.
    """
    return (1 - exp(-spans)) / spans if spans > _TINY else 1.0


def _fitted(rising: Callable[[float], float], wanted: float) -> float:
    """Return the memory for which a function of it, which rises with it, comes to a value."""
    low, high = _SHORTEST_MEMORY, _LONGEST_MEMORY
    for _ in range(_BISECTIONS):
        middle = sqrt(low * high)
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return low


def _mean_variance(spans: float) -> float:
    """Return the variance of the mean of such a signal, as a part of the variance at an instant.

    Args:
        spans: The time, in units of the signal's memory.
    """
    return 2 / spans * (1 - _mean_correlation(spans)) if spans > _TINY else 1.0


def _left_variance(spans: float) -> float:
    """Return the part of the variance that remains when that mean is predicted from the value.

    Args:
        spans: The time, in units of the signal's memory.
    """
    if spans <= _TINY:
        return spans / 3 + 1e-12
    correlation = _mean_correlation(spans)
    return 2 / spans * (1 - correlation) - correlation**2

"""Predicts the mean power since the last refresh by a model that is calibrated on past refreshes."""

from collections import deque
from collections.abc import Callable
from math import exp, sqrt
from typing import Final

_MEAN_OVER_SECONDS: Final = 5.0
"""Time constant of the mean power, in s (by experiment)."""
_REFRESH_FORGETTING: Final = 0.93
"""Weight of all earlier refreshes beside the newest in variances and covariance (by experiment)."""
_PRIOR_SQUARE_WATTS: Final = 30.0**2
"""Variance of the power with full persistence that is assumed at first, in W² (by experiment)."""
_CALIBRATIONS: Final = 40
"""Number of refreshes from which the error is learned (by experiment)."""
_LEAST_MEMORY: Final = 0.25
"""Shortest correlation time for the error bounds, in periods (by experiment)."""
_MODEL_WEIGHT: Final = 1.6
"""Least error variance over the model's variance. Real loads are no perfect Gaussian process (by experiment)."""
_TINY: Final = 1e-3
"""Lag in correlation times, and variance in W², below which a quotient is replaced by its limit."""
_SHORTEST_MEMORY: Final = 0.05
"""Lower end of the search for a correlation time, in periods."""
_LONGEST_MEMORY: Final = 1000.0
"""Upper end of the search for a correlation time, in periods. It acts like a constant power."""
_BISECTIONS: Final = 20
"""Number of bisections of the search. They fix the correlation time to 1e-5 of itself."""
_TYPICAL_PART: Final = 0.5
"""Time since the refresh to which the calibration refers, in periods. It is the mean, as users read at any time."""
_PRIOR_MISS: Final = 0.05
"""Relative error of the predicted power that is assumed before the first calibration (by experiment)."""
_PRIOR_MISS_WEIGHT: Final = 0.3
"""Weight of the assumed error, in refreshes (by experiment)."""
_STEADY_WITHIN_SHARE: Final = 0.02
"""Largest relative difference of present and mean power of a refresh without a step (by experiment)."""
_LEAST_STEADY: Final = 4
"""Number of refreshes from which the share of steps is known (by experiment)."""
_STEPWISE_SHARE: Final = 0.5
"""Largest share of refreshes with a step at which a load counts as stepwise (by experiment)."""


class PowerModel:
    """Predicts the mean power between a counter's last refresh and now, from the present power and the mean.

    If power changes slowly, the present power is the best prediction. If it changes within a period, the mean is. The
    weight of the two follows from a regression over past refreshes, whose energy is known afterwards. The package
    docstring has the formulas.

    Args:
        watts: Power to begin with, in W.
    """

    def __init__(self, watts: float) -> None:
        self.mean_watts = watts
        self._present_present = self._present_refresh = _PRIOR_SQUARE_WATTS
        self._misses: deque[float] = deque(maxlen=_CALIBRATIONS)
        self._was_steady: deque[bool] = deque(maxlen=_CALIBRATIONS)
        self._variance = 0.0
        self._present_variance = 0.0
        self._memory = self._shorter_memory = self._memory_by_persistence()
        self._miss_variance = self._fitted_miss_variance()
        self.step_share = 1.0
        """Share of the refreshes in which the power changed, 0 to 1."""

    @property
    def spread_watts(self) -> float:
        """Standard deviation of the mean power of single refreshes, in W."""
        return sqrt(self._variance)

    @property
    def persistence(self) -> float:
        """Regression slope of a refresh's mean power on the power read in it, both relative to the mean, 0 to 1."""
        return min(1.0, max(0.0, self._present_refresh / self._present_present))

    def _memory_by_persistence(self) -> float:
        """Return the correlation time τ that explains the persistence, in periods."""
        return _fitted(lambda memory: _mean_correlation(_TYPICAL_PART / memory), self.persistence)

    def expected_watts(self, present_watts: float, part: float) -> float:
        """Return the expected mean power since the last refresh, in W.

        Args:
            present_watts: The power now, in W.
            part: Time since the refresh, in periods.
        """
        weight = _mean_correlation(part / self._memory)
        return max(0.0, self.mean_watts + weight * (present_watts - self.mean_watts))

    def miss_watts(self, part: float) -> float:
        """Return the expected error of :meth:`expected_watts` as a root mean square, in W.

        Args:
            part: Time since the refresh, in periods.
        """
        return sqrt(_left_variance(part / self._shorter_memory) * self._miss_variance)

    def _fitted_miss_variance(self) -> float:
        """Return the variance of the power in W² that explains the errors of past predictions."""
        calibrated = self._mean_square_miss() / _left_variance(_TYPICAL_PART / self._shorter_memory)
        return max(calibrated, _MODEL_WEIGHT * self._present_variance)

    def _mean_square_miss(self) -> float:
        """Return the mean square of past prediction errors in W². At first, 5 % of the mean power is assumed."""
        prior = _PRIOR_MISS_WEIGHT * (_PRIOR_MISS * self.mean_watts) ** 2
        return (sum(miss * miss for miss in self._misses) + prior) / (len(self._misses) + _PRIOR_MISS_WEIGHT)

    def _memory_by_variance(self) -> float:
        """Return the correlation time τ that explains the variance of refresh means, in periods."""
        return _fitted(lambda memory: _mean_variance(1 / memory), self._variance / (self._present_variance + _TINY))

    def learn_mean(self, watts: float, seconds: float) -> None:
        """Update the mean power.

        Args:
            watts: The mean power of an interval, in W.
            seconds: Length of the interval, in s.
        """
        self.mean_watts += (watts - self.mean_watts) * min(1.0, seconds / _MEAN_OVER_SECONDS)

    def calibrate(self, present_watts: float, refresh_watts: float) -> None:
        """Learn from a refresh whose energy is known.

        Args:
            present_watts: The power read just before the refresh, in W.
            refresh_watts: The mean power of the whole period, in W.
        """
        self._misses.append(refresh_watts - self.expected_watts(present_watts, _TYPICAL_PART))
        present, refresh = present_watts - self.mean_watts, refresh_watts - self.mean_watts
        self._present_present = _REFRESH_FORGETTING * self._present_present + present * present
        self._present_refresh = _REFRESH_FORGETTING * self._present_refresh + present * refresh
        self._present_variance = (
            _REFRESH_FORGETTING * self._present_variance + (1 - _REFRESH_FORGETTING) * present * present
        )
        self._variance = _REFRESH_FORGETTING * self._variance + (1 - _REFRESH_FORGETTING) * refresh * refresh
        self._memory = self._memory_by_persistence()
        self._shorter_memory = max(_LEAST_MEMORY, min(self._memory, self._memory_by_variance()))
        self._miss_variance = self._fitted_miss_variance()
        self._was_steady.append(abs(refresh_watts - present_watts) <= _STEADY_WITHIN_SHARE * refresh_watts)
        self.step_share = (
            1 - sum(self._was_steady) / len(self._was_steady) if len(self._was_steady) >= _LEAST_STEADY else 1.0
        )

    @property
    def is_stepwise(self) -> bool:
        """Whether the power is constant throughout most refresh periods."""
        return self.step_share <= _STEPWISE_SHARE


def _mean_correlation(lag: float) -> float:
    """Return w, the correlation of a value with the mean over the time before it.

    Args:
        lag: The time, in correlation times of the signal.
    """
    return (1 - exp(-lag)) / lag if lag > _TINY else 1.0


def _fitted(rising: Callable[[float], float], wanted: float) -> float:
    """Return the correlation time at which a rising function of it reaches a value."""
    low, high = _SHORTEST_MEMORY, _LONGEST_MEMORY
    for _ in range(_BISECTIONS):
        middle = sqrt(low * high)
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return low


def _mean_variance(lag: float) -> float:
    """Return the variance of a mean over time, as a share of the variance of an instant.

    Args:
        lag: The time, in correlation times of the signal.
    """
    return 2 / lag * (1 - _mean_correlation(lag)) if lag > _TINY else 1.0


def _left_variance(lag: float) -> float:
    """Return the variance of a mean that remains when it is predicted from the last value, as a share.

    Args:
        lag: The time, in correlation times of the signal.
    """
    if lag <= _TINY:
        return lag / 3 + 1e-12
    correlation = _mean_correlation(lag)
    return 2 / lag * (1 - correlation) - correlation**2

"""Predicts the times of a counter's refreshes by a Kalman filter of phase and period."""

from math import sqrt
from typing import Final

TYPICAL_PERIODS_SECONDS: Final = (0.01, 0.02, 0.05, 0.1)
"""Refresh periods that were seen on NVIDIA GPUs, in s. A first, coarse measurement is rounded to one of them."""

_TYPICAL_WITHIN: Final = 0.15
"""Largest relative deviation at which a measured period is taken for a typical one (by experiment)."""
_PERIOD_ERROR: Final = 0.015
"""Relative standard error of a typical period (by experiment)."""
_DRIFT_VARIANCE: Final = 1e-13
"""Growth of the period's variance per refresh, in s². It allows a drift of 0.3 µs per refresh (by experiment)."""
_WANDERING: Final = 0.1
"""Share of the jitter variance that adds up from refresh to refresh (by experiment)."""
_JITTER_FORGETTING: Final = 0.8
"""Weight of earlier refreshes beside the newest in the jitter variance (by experiment)."""
_STEADY_WITHIN: Final = 0.35
"""Largest uncertainty of a usable phase, in periods. At 0.5 nothing would be known (by experiment)."""
_SHARP_PHASE_SECONDS: Final = 0.0015
"""Uncertainty of a phase, in s, below which another sample of a refresh is not worth a call (by experiment)."""
_LEARNING_REFRESHES: Final = 14
"""Number of observed refreshes after which the phase is known well (by experiment)."""
_PHASE_SIGMAS: Final = 2.1
"""Standard deviations that hold 95 % of refresh times (by experiment). A Gaussian would need 1.96."""


Elapsed = tuple[float, float, int]
"""Time since the last predicted refresh, its uncertainty, and the number of predicted refreshes.

The time is in s and less than a period. The uncertainty is in s and holds 95 % of cases. Refreshes count from the last
observed one.
"""


class CounterPhase:
    """Predicts the refreshes of a counter from intervals in which a refresh was seen.

    A Kalman filter with two states, the time of a refresh and the period. Each interval counts as a measurement with
    the variance of a uniform distribution. A larger surprise is jitter, which is learned and widens the uncertainty.

    Args:
        usual_seconds: Expected period in s, for counters of which some refreshes cannot be seen. A first interval that
            is a multiple of it counts as several periods. Defaults to None, so that the first interval is one period.
    """

    def __init__(self, usual_seconds: float | None = None) -> None:
        self._usual_seconds = usual_seconds
        self.period_seconds: float | None = None
        self._refresh_seconds: float | None = None
        self._variance = 0.0
        self._covariance = 0.0
        self._period_variance = 0.0
        self._jitter_variance = 0.0
        self._observed = 0

    @property
    def is_learning(self) -> bool:
        """Whether so few refreshes were seen that each further one improves the phase."""
        return self._observed < _LEARNING_REFRESHES

    def is_sharp(self, now_seconds: float) -> bool:
        """Return whether another observation would hardly improve the phase.

        Args:
            now_seconds: Monotonic time in s.
        """
        elapsed = self.elapsed(now_seconds)
        return elapsed is not None and elapsed[1] <= _SHARP_PHASE_SECONDS

    @property
    def jitter_seconds(self) -> float:
        """Largest deviation of a refresh from an even pace, in s (95 %)."""
        return _PHASE_SIGMAS * sqrt(self._jitter_variance)

    def observe(self, after_seconds: float, until_seconds: float) -> None:
        """Learn that exactly one refresh happened in an interval.

        Args:
            after_seconds: Beginning of the interval, in monotonic s.
            until_seconds: End of the interval, in monotonic s.
        """
        middle = (after_seconds + until_seconds) / 2
        variance = (until_seconds - after_seconds) ** 2 / 12
        if self._refresh_seconds is None:
            self._refresh_seconds, self._variance, self._observed = middle, variance, 1
        elif self.period_seconds is None:
            self._first_period(middle, variance)
        else:
            self._correct(middle, variance)

    def elapsed(self, now_seconds: float) -> Elapsed | None:
        """Return the time since the last refresh.

        Args:
            now_seconds: Monotonic time in s.

        Returns:
            None while the phase is not known well enough.
        """
        if self._refresh_seconds is None or self.period_seconds is None:
            return None
        period = self.period_seconds
        refreshes, seconds = divmod(now_seconds - self._refresh_seconds, period)
        spread = _PHASE_SIGMAS * sqrt(self._variance_after(abs(refreshes)) + self._jitter_variance)
        if spread > _STEADY_WITHIN * period:
            return None
        return seconds, spread, int(refreshes)

    def doubt(self) -> None:
        """Learn that no refresh came when one was due, which doubles the jitter variance."""
        self._jitter_variance = max(2 * self._jitter_variance, 2 * self._variance)

    def _first_period(self, middle: float, variance: float) -> None:
        assert self._refresh_seconds is not None  # noqa: S101  for the type checker
        period = middle - self._refresh_seconds
        if self._usual_seconds is not None:
            refreshes = max(1, round(period / self._usual_seconds))
            period /= refreshes if abs(period / refreshes / self._usual_seconds - 1) <= _TYPICAL_WITHIN else 1
        typical = min(TYPICAL_PERIODS_SECONDS, key=lambda seconds: abs(seconds - period))
        if abs(typical - period) <= _TYPICAL_WITHIN * typical:
            self.period_seconds, self._period_variance = typical, (_PERIOD_ERROR * typical) ** 2
            self._correct(middle, variance)
        else:
            self.period_seconds, self._period_variance = period, variance + self._variance
            self._refresh_seconds, self._variance, self._covariance = middle, variance, variance
            self._observed += 1

    def _variance_after(self, refreshes: float) -> float:
        """Return the variance of the time of a later refresh, in s²."""
        drift = 2 * self._covariance + refreshes * self._period_variance + _WANDERING * self._jitter_variance
        return self._variance + refreshes * drift

    def _correct(self, middle: float, variance: float) -> None:
        assert self._refresh_seconds is not None  # noqa: S101  for the type checker
        assert self.period_seconds is not None  # noqa: S101
        refreshes = round((middle - self._refresh_seconds) / self.period_seconds)
        if refreshes < 1:  # two threads saw the same refresh
            return
        predicted = self._refresh_seconds + refreshes * self.period_seconds
        before = self._variance_after(refreshes)
        covariance = self._covariance + refreshes * self._period_variance
        surprise = middle - predicted
        total = before + variance + self._jitter_variance
        gain, period_gain = before / total, covariance / total
        self._refresh_seconds = predicted + gain * surprise
        self.period_seconds += period_gain * surprise
        self._variance = (1 - gain) * before
        self._covariance = (1 - gain) * covariance
        self._period_variance += _DRIFT_VARIANCE * refreshes - period_gain * covariance
        excess = surprise**2 - before - variance
        fresh = max(1 - _JITTER_FORGETTING, 1 / self._observed)
        self._jitter_variance = max(0.0, (1 - fresh) * self._jitter_variance + fresh * excess)
        self._observed += 1

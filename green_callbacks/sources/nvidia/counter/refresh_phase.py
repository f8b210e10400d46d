"""When a counter that refreshes now and then refreshes: its period, and where in it we are."""

from math import sqrt
from typing import Final

TYPICAL_PERIODS_SECONDS: Final = (0.01, 0.02, 0.05, 0.1)
"""Refresh periods seen on NVIDIA GPUs; a first, coarse measurement is rounded to one of these."""

_TYPICAL_WITHIN = 0.15
_PERIOD_ERROR = 0.015
_DRIFT_VARIANCE = 1e-13
_WANDERING = 0.1
_FORGETTING = 0.8
_STEADY_WITHIN = 0.35
_SHARP_SECONDS = 0.0015
_LEARNING = 14
_ALMOST_ALL = 2.1


Elapsed = tuple[float, float, int]
"""How long ago a counter was refreshed: time since the last refresh that was due, in s, less than a period; how much
earlier or later that may have been, in s (95 %); and refreshes due since the last that was observed."""


class CounterPhase:
    """Follows the refreshes of a counter from intervals in which one was seen to happen.

    A Kalman filter of two states, the time of a refresh and the period; each interval counts as a measurement with the
    variance of a uniform distribution. What surprises more than that is jitter, which is learned, and widens what is
    said.

    Args:
        usual_seconds: A period to expect where some refreshes cannot be seen: a first interval that is a multiple of it
            is taken for so many periods. Unless given, the first interval is one period.
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
        """Whether so few refreshes were seen that each further one tells much."""
        return self._observed < _LEARNING

    def is_sharp(self, now_seconds: float) -> bool:
        """Return whether another sighting would hardly tell more.

        Args:
            now_seconds: Monotonic time in s.
        """
        elapsed = self.elapsed(now_seconds)
        return elapsed is not None and elapsed[1] <= _SHARP_SECONDS

    @property
    def jitter_seconds(self) -> float:
        """How much earlier or later than even a refresh comes, in s (95 %)."""
        return _ALMOST_ALL * sqrt(self._jitter_variance)

    def observe(self, after_seconds: float, until_seconds: float) -> None:
        """Learn that exactly one refresh happened in an interval.

        Args:
            after_seconds: Its beginning, in monotonic s.
            until_seconds: Its end.
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
        """Return how long ago the counter was refreshed.

        Args:
            now_seconds: Monotonic time in s.

        Returns:
            None while that is not known well enough to be of use.
        """
        if self._refresh_seconds is None or self.period_seconds is None:
            return None
        period = self.period_seconds
        refreshes, seconds = divmod(now_seconds - self._refresh_seconds, period)
        spread = _ALMOST_ALL * sqrt(self._variance_after(abs(refreshes)) + self._jitter_variance)
        if spread > _STEADY_WITHIN * period:
            return None
        return seconds, spread, int(refreshes)

    def doubt(self) -> None:
        """Learn that no refresh came when one was due: what is known of the phase is worth less."""
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
        if refreshes < 1:  # two threads have seen the same refresh
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
        fresh = max(1 - _FORGETTING, 1 / self._observed)
        self._jitter_variance = max(0.0, (1 - fresh) * self._jitter_variance + fresh * excess)
        self._observed += 1

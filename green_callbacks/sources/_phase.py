"""When a counter that refreshes now and then refreshes: its period, and where in it we are."""

from math import sqrt
from typing import Final, NamedTuple

TYPICAL_PERIODS_SECONDS: Final = (0.01, 0.02, 0.05, 0.1)
"""Refresh periods seen on NVIDIA GPUs; a first, coarse measurement is rounded to one of these."""

_TYPICAL_WITHIN = 0.12
_LEAST_GAIN, _LEAST_DRIFT_GAIN = 0.5, 0.2
_FORGETTING = 0.8
_STEADY_WITHIN = 0.35
_SHARP_SECONDS = 0.0015
_MANY = 10


class Elapsed(NamedTuple):
    """How long ago a counter was refreshed."""

    seconds: float
    """Time since the last refresh that was due, in s; less than a period."""
    spread_seconds: float
    """How much earlier or later that refresh may have been, in s (95 %)."""
    refreshes: int
    """Refreshes due since the last one that was observed."""


class CounterPhase:
    """Follows the refreshes of a counter from intervals in which one was seen to happen.

    An alpha-beta filter (predict by the period, correct time and period by a part of the surprise) whose gains fall
    like those of a least-squares fit and then stay, so that it forgets; the surprises say how far it can be trusted.
    """

    def __init__(self) -> None:
        self.period_seconds: float | None = None
        self._refresh_seconds: float | None = None
        self._spread_seconds = 0.0
        self._drift_seconds = 0.0
        self._surprise_square = 0.0
        self._observed = 0

    def observe(self, after_seconds: float, until_seconds: float) -> None:
        """Learn that a refresh happened in an interval, and none since its beginning but this one.

        Args:
            after_seconds: Its beginning, in monotonic s.
            until_seconds: Its end.
        """
        middle, half = (after_seconds + until_seconds) / 2, (until_seconds - after_seconds) / 2
        if self._refresh_seconds is None:
            self._refresh_seconds, self._spread_seconds, self._observed = middle, half, 1
        elif self.period_seconds is None:
            self._first_period(middle, half)
        else:
            self._correct(middle, half)

    def elapsed(self, now_seconds: float) -> Elapsed | None:
        """Return how long ago the counter was refreshed.

        Args:
            now_seconds: Monotonic time in s.

        Returns:
            None while that is not known well enough to be of use.
        """
        if self._refresh_seconds is None or self.period_seconds is None:
            return None
        since = now_seconds - self._refresh_seconds
        refreshes = int(since // self.period_seconds)
        spread = self._spread_seconds + abs(refreshes) * self._drift_seconds
        if spread > _STEADY_WITHIN * self.period_seconds:
            return None
        return Elapsed(since - refreshes * self.period_seconds, spread, refreshes)

    @property
    def is_sharp(self) -> bool:
        """Whether another sighting would hardly tell more."""
        return self._observed >= _MANY or self._spread_seconds <= _SHARP_SECONDS

    def doubt(self) -> None:
        """Learn that no refresh came when one was due: what is known of the phase is worth less."""
        self._surprise_square = max(4 * self._surprise_square, (self._spread_seconds) ** 2)
        self._spread_seconds = max(2 * self._spread_seconds, 2 * sqrt(self._surprise_square))

    def _first_period(self, middle: float, half: float) -> None:
        assert self._refresh_seconds is not None  # noqa: S101  for the type checker
        period = middle - self._refresh_seconds
        error = half + self._spread_seconds
        typical = min(TYPICAL_PERIODS_SECONDS, key=lambda seconds: abs(seconds - period))
        rounded = abs(typical - period) <= max(error, _TYPICAL_WITHIN * typical)
        self.period_seconds = typical if rounded else period
        self._drift_seconds = error / 8 if rounded else error
        # Of the two sightings the finer one says where the phase is.
        if half < self._spread_seconds or not rounded:
            self._refresh_seconds, self._spread_seconds = middle, half
        self._surprise_square = half**2 / 3
        self._observed = 2

    def _correct(self, middle: float, half: float) -> None:
        assert self._refresh_seconds is not None  # noqa: S101  for the type checker
        assert self.period_seconds is not None  # noqa: S101
        periods = max(1, round((middle - self._refresh_seconds) / self.period_seconds))
        predicted = self._refresh_seconds + periods * self.period_seconds
        surprise = middle - predicted
        self._observed += 1
        seen = self._observed
        gain = max(_LEAST_GAIN, 2 * (2 * seen - 1) / (seen * (seen + 1)))
        drift_gain = max(_LEAST_DRIFT_GAIN, 6 / (seen * (seen + 1)))
        self._refresh_seconds = predicted + gain * surprise
        self.period_seconds += drift_gain * surprise / periods
        self._surprise_square = _FORGETTING * self._surprise_square + (1 - _FORGETTING) * surprise**2
        noise = sqrt(self._surprise_square)
        self._spread_seconds = max(min(half, 2 * noise), 1.5 * noise)
        self._drift_seconds = drift_gain * noise / periods

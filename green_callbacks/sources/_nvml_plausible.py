"""Whether an energy counter says what the power says."""

from collections import deque
from math import sqrt
from statistics import fmean, stdev

_OVER_LIMIT = 1.2
_FAR = 0.25
_SURE = 6.0
_LEAST_SAMPLES, _MOST_SAMPLES = 24, 60
_LEAST_SECONDS = 1.0
_LEAST_WATTS = 1.0
_FROZEN_SECONDS = 0.6


class Plausibility:
    """Compares a counter with the power limit and with powers sampled along its way.

    Args:
        limit_watts: The power limit in W; None if it is not known.
    """

    def __init__(self, limit_watts: float | None) -> None:
        self._limit_watts = limit_watts
        self._samples: deque[tuple[float, float, float]] = deque(maxlen=_MOST_SAMPLES)

    def restart(self) -> None:
        """Forget what was sampled, as the counter began anew."""
        self._samples.clear()

    def sample(self, seconds: float, joules: float, watts: float) -> None:
        """Take in the counter and the power at one instant.

        Args:
            seconds: Monotonic time in s.
            joules: The counter in J.
            watts: The power in W.
        """
        self._samples.append((seconds, joules, watts))

    def doubt(self) -> str | None:
        """Return what speaks against the counter; None if nothing does."""
        if len(self._samples) < 2:  # noqa: PLR2004
            return None
        seconds = self._samples[-1][0] - self._samples[0][0]
        if seconds < _LEAST_SECONDS:
            return None
        watts = (self._samples[-1][1] - self._samples[0][1]) / seconds
        if self._limit_watts is not None and watts > _OVER_LIMIT * self._limit_watts:
            return f"its energy counter says {watts:.0f} W, far over its limit of {self._limit_watts:.0f} W"
        if len(self._samples) < _LEAST_SAMPLES:
            return None
        sampled = [sample[2] for sample in self._samples]
        mean_watts = fmean(sampled)
        unsure_watts = _SURE * stdev(sampled) / sqrt(len(sampled))
        if abs(watts - mean_watts) > max(_LEAST_WATTS, _FAR * mean_watts, unsure_watts):
            return f"its energy counter says {watts:.0f} W, its power sensor {mean_watts:.0f} W"
        return None


def stands_still(still_seconds: float, watts: float | None) -> str | None:
    """Return what speaks against a counter that has not risen for a while; None if nothing does.

    Args:
        still_seconds: How long, in s.
        watts: The power now, in W; None if it is not known.
    """
    if still_seconds <= _FROZEN_SECONDS or watts is None or watts < _LEAST_WATTS:
        return None
    return f"its energy counter has stood still for {still_seconds:.1f} s"

"""Checks whether an energy counter contradicts the power of its device."""

from collections import deque
from collections.abc import Callable
from math import sqrt
from statistics import fmean, stdev
from typing import Final

OVER_LIMIT: Final = 1.2
"""Ratio of the largest momentary power of a GPU to its power limit (by convention)."""
_CONTRADICTION_SHARE: Final = 0.25
"""Relative difference of counter and power from which they contradict each other (by convention)."""
_CONTRADICTION_SIGMAS: Final = 6.0
"""Standard errors of the mean difference from which counter and power contradict each other (by convention)."""
_LEAST_PAIRS: Final = 20
"""Number of comparisons from which a contradiction is believed (by experiment)."""
_MOST_PAIRS: Final = 60
"""Number of the latest comparisons that count (by experiment)."""
_LEAST_WATTS: Final = 1.0
"""Power in W below which a standstill or a difference says nothing. No idle GPU draws less."""
FROZEN_SECONDS: Final = 0.6
"""Time in s for which a counter may stand still while power is drawn. It is six of the longest known periods."""
_DEAD_SECONDS: Final = 10.0
"""Time in s after which a counter without a rise is dead, even if no power is known. Every GPU draws some power."""
MOST_WATTS: Final = 5000.0
"""Power in W that no single device reaches. It is some four times the limit of the largest module of 2026."""


class Plausibility:
    """Compares a counter with the power limit and with the power sensor.

    Args:
        limit_watts: The power limit in W, or None if it is not known. A function that returns it is called only when
            the limit is exceeded.
    """

    def __init__(self, limit_watts: float | Callable[[], float | None] | None) -> None:
        self._limit_watts = limit_watts
        self._most_watts = 0.0
        self._pairs: deque[tuple[float, float]] = deque(maxlen=_MOST_PAIRS)

    def restart(self) -> None:
        """Forget all comparisons, because the counter has restarted."""
        self._pairs.clear()

    def compare(self, counter_watts: float, power_watts: float) -> None:
        """Take in the power by the counter and by the sensor in the same interval.

        The power must be read at a random instant of the interval. Evenly spaced reads would see only one part of a
        training step.

        Args:
            counter_watts: Mean power by the counter, in W.
            power_watts: Power by the sensor at a random instant of the interval, or its average over the interval, in
                W.
        """
        self._pairs.append((counter_watts, power_watts))

    def doubt(self, mean_watts: float) -> str | None:
        """Return a clause about the contradiction, or None if there is none.

        Args:
            mean_watts: Mean power by the counter over a second or more, in W.
        """
        excess = self._excess(mean_watts)
        if excess is not None:
            return excess
        if len(self._pairs) < _LEAST_PAIRS:
            return None
        differences = [counter - power for counter, power in self._pairs]
        counted, sampled = fmean(pair[0] for pair in self._pairs), fmean(pair[1] for pair in self._pairs)
        unsure_watts = _CONTRADICTION_SIGMAS * stdev(differences) / sqrt(len(differences))
        if abs(counted - sampled) > max(_LEAST_WATTS, _CONTRADICTION_SHARE * sampled, unsure_watts):
            return f"its energy counter says {counted:.0f} W, its power sensor {sampled:.0f} W"
        return None

    def _excess(self, mean_watts: float) -> str | None:
        """Return a clause if a power exceeds the limit of the device, else None."""
        if mean_watts <= self._most_watts:
            return None
        limit_watts = self._limit_watts() if callable(self._limit_watts) else self._limit_watts
        self._most_watts = MOST_WATTS if limit_watts is None else OVER_LIMIT * limit_watts
        if mean_watts <= self._most_watts:
            return None
        limit = "what any device can draw" if limit_watts is None else f"its limit of {limit_watts:.0f} W"
        return f"its energy counter says {mean_watts:.0f} W, far over {limit}"


def stands_still(still_seconds: float, watts: float | None) -> str | None:
    """Return a clause about a counter that stands still for too long, or None if it does not.

    Args:
        still_seconds: Time without a rise, in s.
        watts: The power now, in W. None if it is not known.
    """
    if still_seconds < FROZEN_SECONDS or (watts is not None and watts < _LEAST_WATTS):
        return None
    if watts is None and still_seconds < _DEAD_SECONDS:
        return None
    return f"its energy counter has stood still for {still_seconds:.1f} s"

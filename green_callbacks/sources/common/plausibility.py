"""Whether an energy counter says what the power says."""

from collections import deque
from collections.abc import Callable
from math import sqrt
from statistics import fmean, stdev

_OVER_LIMIT = 1.2
_FAR = 0.25
_SURE = 6.0
_LEAST_PAIRS, _MOST_PAIRS = 20, 60
_LEAST_WATTS = 1.0
FROZEN_SECONDS = 0.6
"""For how long a counter may stand still while power is drawn, in s: six of the longest periods known."""
_DEAD_SECONDS = 10.0
"""After which a counter that has not risen is dead, even where no power is told beside it: no GPU draws nothing."""
_MOST_WATTS = 5000.0
"""The power in W that no single device reaches, for a GPU that does not tell its limit."""


class Plausibility:
    """Compares a counter with the power limit and with the power sensor.

    Args:
        limit_watts: The power limit in W, None if it is not known; or what returns it, asked when it is exceeded.
    """

    def __init__(self, limit_watts: float | Callable[[], float | None] | None) -> None:
        self._limit_watts = limit_watts
        self._most_watts = 0.0
        self._pairs: deque[tuple[float, float]] = deque(maxlen=_MOST_PAIRS)

    def restart(self) -> None:
        """Forget what was compared, as the counter began anew."""
        self._pairs.clear()

    def compare(self, counter_watts: float, power_watts: float) -> None:
        """Take in what the counter and the power sensor say of the same stretch of time.

        Of the same stretch: samples at any time would, in training whose steps come evenly, see one part of them only.

        Args:
            counter_watts: Mean power by the counter, in W.
            power_watts: Power by the sensor, at a random instant of the stretch or averaged over it, in W.
        """
        self._pairs.append((counter_watts, power_watts))

    def doubt(self, mean_watts: float) -> str | None:
        """Return what speaks against the counter; None if nothing does.

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
        unsure_watts = _SURE * stdev(differences) / sqrt(len(differences))
        if abs(counted - sampled) > max(_LEAST_WATTS, _FAR * sampled, unsure_watts):
            return f"its energy counter says {counted:.0f} W, its power sensor {sampled:.0f} W"
        return None

    def _excess(self, mean_watts: float) -> str | None:
        """Return that a power is beyond what the device can draw; None if it is not."""
        if mean_watts <= self._most_watts:
            return None
        limit_watts = self._limit_watts() if callable(self._limit_watts) else self._limit_watts
        self._most_watts = _MOST_WATTS if limit_watts is None else _OVER_LIMIT * limit_watts
        if mean_watts <= self._most_watts:
            return None
        limit = "what any device can draw" if limit_watts is None else f"its limit of {limit_watts:.0f} W"
        return f"its energy counter says {mean_watts:.0f} W, far over {limit}"


def stands_still(still_seconds: float, watts: float | None) -> str | None:
    """Return what speaks against a counter that has not risen for a while; None if nothing does.

    Args:
        still_seconds: How long, in s.
        watts: The power now, in W; None if it is not known.
    """
    if still_seconds < FROZEN_SECONDS or (watts is not None and watts < _LEAST_WATTS):
        return None
    if watts is None and still_seconds < _DEAD_SECONDS:
        return None
    return f"its energy counter has stood still for {still_seconds:.1f} s"

"""The energy counter of an AMD GPU, with its resets, leaps and contradictions."""

from typing import Final, NamedTuple

from green_callbacks.sources.common.energy_counter import FROZEN, IMPLAUSIBLE
from green_callbacks.sources.common.plausibility import Plausibility, stands_still

_LATE_SECONDS: Final = 0.1
"""Largest age of the counter's value, in s. AMD states none, and other makers' counters refresh ten times a second."""
_SURELY_STILL_SECONDS: Final = 10.0
"""Time in s after which a counter without a rise is dead, even if no power is known (by convention)."""
_LEAST_AMD_MEAN_SECONDS: Final = 0.4
"""Shortest time over which a mean power is computed, in s. Over less time, refreshes would look like power."""
_AMD_STILL_SECONDS: Final = 0.6
"""Time without a rise, in s, after which nothing counts as measured. It is six refreshes."""
_OVER_AMD_LIMIT: Final = 2.0
"""Ratio of the largest momentary power to the power limit. It is more than was seen of any GPU."""
_LARGEST_GPU_WATTS: Final = 2_500.0
"""Power that no GPU draws, in W. The largest of 2025, MI355X, is sold with 1,400 W."""
_ROOM_SECONDS: Final = 0.25
"""Time whose energy a counter may show at once, in s. It is more than two refreshes."""


def largest_watts(limit_watts: float | None) -> float:
    """Return the largest power that a GPU can draw, in W.

    Args:
        limit_watts: Its power limit in W. None if it is not known.
    """
    return _LARGEST_GPU_WATTS if limit_watts is None else _OVER_AMD_LIMIT * limit_watts


class Doubt(NamedTuple):
    """A contradiction of a counter, as a flag and a clause."""

    flag: str
    text: str


class AmdCounter:
    """A counter as of its last rise.

    Args:
        joules: Its value, in J.
        now: Monotonic time in s.
        limit_watts: Power limit of the GPU in W. None if it is not known.
    """

    def __init__(self, joules: float, now: float, limit_watts: float | None) -> None:
        self._plausibility = Plausibility(limit_watts)
        self._largest_watts = largest_watts(limit_watts)
        self._joules = self._compared_joules = joules
        self._risen_at = self._compared_at = now
        self._mean_watts = limit_watts or 0.0  # until it is known

    def take(self, joules: float, now: float, *, was_lost: bool) -> float | str:
        """Take a value, and return the rise of the energy in J, or a flag if it is not known.

        The flag is ``reset`` after a restart of the counter, and ``counter_implausible`` after a rise that the GPU
        cannot have drawn. A value that is a little lower is an older value that comes late (ROCm/amdsmi#115). It counts
        as no rise.

        Args:
            joules: Value of the counter, in J.
            now: Monotonic time in s.
            was_lost: Whether the GPU did not answer before, and may have been reset.
        """
        rise = joules - self._joules
        if rise <= 0 and not self._began_anew(joules, was_lost=was_lost):
            return 0.0
        is_possible = rise <= self._largest_watts * (now - self._risen_at + _ROOM_SECONDS)
        self._joules, self._risen_at = joules, now
        if rise > 0 and is_possible:
            return rise
        self._compared_joules, self._compared_at = joules, now
        self._plausibility.restart()
        return IMPLAUSIBLE if rise > 0 else "reset"

    def _began_anew(self, joules: float, *, was_lost: bool) -> bool:
        return joules < self._joules / 2 or (was_lost and joules < self._joules)

    def is_still(self, now: float) -> bool:
        """Return whether the counter has not risen for longer than a refresh takes.

        Args:
            now: Monotonic time in s.
        """
        return now - self._risen_at > _AMD_STILL_SECONDS

    def is_dead(self, now: float) -> bool:
        """Return whether the counter has not risen for longer than it would on an idle GPU.

        Args:
            now: Monotonic time in s.
        """
        return now - self._risen_at > _SURELY_STILL_SECONDS

    def doubt(self, watts: float, now: float) -> Doubt | None:
        """Compare the counter with the power, and return a contradiction, or None if there is none.

        Args:
            watts: The power now, in W.
            now: Monotonic time in s.
        """
        still = stands_still(now - self._risen_at, watts)
        if still is not None:
            return Doubt(FROZEN, still)
        seconds = now - self._compared_at
        if seconds < _LEAST_AMD_MEAN_SECONDS:
            return None
        self._mean_watts = (self._joules - self._compared_joules) / seconds
        self._compared_joules, self._compared_at = self._joules, now
        self._plausibility.compare(self._mean_watts, watts)
        contradiction = self._plausibility.doubt(self._mean_watts)
        return None if contradiction is None else Doubt(IMPLAUSIBLE, contradiction)

    def late_joules(self, now: float) -> float:
        """Return the energy that the counter may not show yet, in J.

        Args:
            now: Monotonic time in s.
        """
        return max(_LATE_SECONDS, now - self._risen_at) * self._mean_watts

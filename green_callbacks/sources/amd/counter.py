"""The energy counter of an AMD GPU: what its values mean, and what speaks against them."""

from typing import Final, NamedTuple

from green_callbacks.sources.common.energy_counter import FROZEN, IMPLAUSIBLE
from green_callbacks.sources.common.plausibility import Plausibility, stands_still

_LATE_SECONDS: Final = 0.1
"""How late the counter may be: AMD does not say how often it refreshes; others' do so ten times a second."""
_SURELY_STILL_SECONDS: Final = 10.0
"""After which a counter that does not rise is taken for dead even where no power is told beside it."""
_LEAST_MEAN_SECONDS: Final = 0.4
"""Over a shorter time, in s, the refreshes of the counter would look like a power."""
_STILL_SECONDS: Final = 0.6
"""After which nothing is said to be measured while the counter does not rise, in s: six refreshes."""
_OVER_LIMIT: Final = 2.0
"""By how much a GPU may exceed its power limit for a moment: more than was seen of any."""
_LARGEST_WATTS: Final = 2_500.0
"""More than any GPU draws, in W: the largest of 2025, MI355X, is sold with 1,400 W."""
_ROOM_SECONDS: Final = 0.25
"""A counter may show this much of the past at once, in s: more than two refreshes."""


def largest_watts(limit_watts: float | None) -> float:
    """Return the largest power that a GPU can draw, in W.

    Args:
        limit_watts: Its power limit in W; None if it is not known.
    """
    return _LARGEST_WATTS if limit_watts is None else _OVER_LIMIT * limit_watts


class Doubt(NamedTuple):
    """What speaks against a counter: one word, and a clause."""

    flag: str
    text: str


class AmdCounter:
    """A counter as of its last rise.

    Args:
        joules: What it shows, in J.
        now: Monotonic time in s.
        limit_watts: The power limit of the GPU in W; None if it is not known.
    """

    def __init__(self, joules: float, now: float, limit_watts: float | None) -> None:
        self._plausibility = Plausibility(limit_watts)
        self._largest_watts = largest_watts(limit_watts)
        self._joules = self._compared_joules = joules
        self._risen_at = self._compared_at = now
        self._mean_watts = limit_watts or 0.0  # until it is known

    def take(self, joules: float, now: float, *, was_lost: bool) -> float | str:
        """Take a value, and return by how much the energy rose, in J; a flag if that cannot be told.

        The flag is ``reset`` where the counter began anew, and ``counter_implausible`` where it rose by more than the
        GPU can draw.

        A value that is a little lower is an older one told late (ROCm/amdsmi#115): it is waited for, as for one that
        stands still, and is no rise.

        Args:
            joules: What the counter shows, in J.
            now: Monotonic time in s.
            was_lost: Whether the GPU did not answer before this: it may have been reset meanwhile.
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
        """Return whether the counter has not risen for longer than it takes to refresh.

        Args:
            now: Monotonic time in s.
        """
        return now - self._risen_at > _STILL_SECONDS

    def is_dead(self, now: float) -> bool:
        """Return whether the counter has not risen for so long that it cannot be an idle GPU's.

        Args:
            now: Monotonic time in s.
        """
        return now - self._risen_at > _SURELY_STILL_SECONDS

    def doubt(self, watts: float, now: float) -> Doubt | None:
        """Compare the counter with the power; return what speaks against it, None if nothing does.

        Args:
            watts: The power now, in W.
            now: Monotonic time in s.
        """
        still = stands_still(now - self._risen_at, watts)
        if still is not None:
            return Doubt(FROZEN, still)
        seconds = now - self._compared_at
        if seconds < _LEAST_MEAN_SECONDS:
            return None
        self._mean_watts = (self._joules - self._compared_joules) / seconds
        self._compared_joules, self._compared_at = self._joules, now
        self._plausibility.compare(self._mean_watts, watts)
        contradiction = self._plausibility.doubt(self._mean_watts)
        return None if contradiction is None else Doubt(IMPLAUSIBLE, contradiction)

    def late_joules(self, now: float) -> float:
        """Return how much energy the counter may not show yet, in J.

        Args:
            now: Monotonic time in s.
        """
        return max(_LATE_SECONDS, now - self._risen_at) * self._mean_watts

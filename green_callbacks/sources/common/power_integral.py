"""Power integrated over time, and how well that is known."""

from collections import deque
from typing import Final

LONGEST_STEP_SECONDS: Final = 1.0
"""A longer time without a sample is a gap."""
ALMOST_ALL: Final = 1.85
"""So many standard deviations hold 95 % of what sampling misses: less than of a bell curve, as it has an end."""
_BENDS = 80.0
_UNEVEN = 0.25
"""By how much a sample may be late, as a share of the time between two, before jumps do not make up any more."""
_BENT, _JUMPS, _FADING = 3, 2.0, 0.999


class Integral:
    """Power integrated over time by trapezoids; a hole longer than a second is a gap, not energy.

    Args:
        even_seconds: The time between two samples that are in time, in s; unless given, all are taken to be.
    """

    def __init__(self, even_seconds: float | None = None) -> None:
        self._even_seconds = even_seconds
        self._uneven_variance = 0.0
        self.joules = 0.0
        self.gap_seconds = 0.0
        self._variance = self._told_variance = self._jump_variance = self._walk_square_joules = 0.0
        self._last: tuple[float, float] | None = None
        self._recent_watts: deque[float] = deque(maxlen=_BENT)

    @property
    def last_watts(self) -> float | None:
        """The last power, in W."""
        return self._last and self._last[1]

    @property
    def before_last_watts(self) -> float:
        """The power before the last, in W."""
        recent = self._recent_watts
        return recent[max(0, len(recent) - 2)] if recent else 0.0

    def add(self, seconds: float, watts: float) -> None:
        """Go on to a later instant.

        Args:
            seconds: The instant, in s; one that is not later is left out.
            watts: The power then, in W.
        """
        if self._last is not None:
            step = seconds - self._last[0]
            if step <= 0:
                return
            if step > LONGEST_STEP_SECONDS:
                self.gap_seconds += step
            else:
                self.joules += step * (watts + self._last[1]) / 2
                self._learn_variance(step, watts)
        self._last = (seconds, watts)
        self._recent_watts.append(watts)

    def begin_anew(self, seconds: float, watts: float) -> None:
        """Go on from an instant, with no energy for the time before it.

        Args:
            seconds: The instant, in s.
            watts: The power then, in W.
        """
        self._last = (seconds, watts)
        self._recent_watts.clear()
        self._recent_watts.append(watts)

    def joules_at(self, seconds: float, watts: float) -> float:
        """Return the integral up to an instant shortly after the last, without going on to it.

        Args:
            seconds: The instant, in s.
            watts: The power then, in W.
        """
        last_seconds, last_watts = self._last or (seconds, watts)
        return self.joules + max(0.0, seconds - last_seconds) * (watts + last_watts) / 2

    def update_walk_square_joules(self) -> float:
        """Return how far the integral may be off by what went unseen between samples (95 %), as a square in J².

        It never falls, and counts from one call to the next: on a grid jumps up and down make up for one another, so
        that what a few of them may miss is hardly exceeded in between.
        """
        since_variance = min(_JUMPS * self._jump_variance, self._variance - self._told_variance)
        since_variance += self._uneven_variance
        self._told_variance, self._uneven_variance = self._variance, 0.0
        self._walk_square_joules += ALMOST_ALL**2 * since_variance
        return self._walk_square_joules

    def _learn_variance(self, step: float, watts: float) -> None:
        """Learn how far off a step may be: it is not known when in it the power jumps.

        A jump bends the curve twice, a slope never. The bend is taken over four readings, as one may show the power
        averaged over a jump.
        """
        recent = self._recent_watts
        if len(recent) == _BENT:
            variance = (step * (watts - recent[2] - recent[1] + recent[0])) ** 2 / _BENDS
            if self._even_seconds is not None and abs(step - self._even_seconds) > _UNEVEN * self._even_seconds:
                self._uneven_variance += variance
            else:
                self._variance += variance
            self._jump_variance = max(2 * variance, _FADING * self._jump_variance)

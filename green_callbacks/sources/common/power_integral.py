"""The integral of power over time, with its uncertainty."""

from collections import deque
from typing import Final

LONGEST_STEP_SECONDS: Final = 1.0
"""Longest time between two samples, in s. A longer time is a gap (by convention)."""
SAMPLING_SIGMAS: Final = 1.85
"""Standard deviations that hold 95 % of sampling errors. It is less than for a Gaussian, as the errors are bounded."""
_BEND_VARIANCES: Final = 80.0
"""Squared bend of the power curve over the variance of a step, relative to its square length (by experiment)."""
_UNEVEN_SHARE: Final = 0.25
"""Largest delay of a sample, in intervals, at which the errors of jumps up and down still cancel (by experiment)."""
_BEND_SAMPLES: Final = 3
"""Number of samples before the newest from which a bend is computed."""
_CANCELED_JUMPS: Final = 2.0
"""Number of jumps whose errors do not cancel between two readings (by experiment)."""
_JUMP_FADING: Final = 0.999
"""Factor by which the largest seen jump variance fades with each sample (by experiment)."""


class Integral:
    """The integral of power over time, by trapezoids. A hole longer than a second is a gap and no energy.

    Args:
        even_seconds: Interval between two samples on a grid, in s. Defaults to None, so that every sample counts as on
            time.
    """

    def __init__(self, even_seconds: float | None = None) -> None:
        self._even_seconds = even_seconds
        self._uneven_variance = 0.0
        self.joules = 0.0
        self.gap_seconds = 0.0
        self._variance = self._counted_variance = self._jump_variance = self._walk_square_joules = 0.0
        self._last: tuple[float, float] | None = None
        self._recent_watts: deque[float] = deque(maxlen=_BEND_SAMPLES)

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
        """Add a sample.

        Args:
            seconds: Time of the sample, in s. A sample that is not later than the last is ignored.
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
        """Continue from an instant, without energy for the time before it.

        Args:
            seconds: The instant, in s.
            watts: The power then, in W.
        """
        self._last = (seconds, watts)
        self._recent_watts.clear()
        self._recent_watts.append(watts)

    def joules_at(self, seconds: float, watts: float) -> float:
        """Return the integral up to an instant shortly after the last sample, in J, without adding a sample.

        Args:
            seconds: The instant, in s.
            watts: The power then, in W.
        """
        last_seconds, last_watts = self._last or (seconds, watts)
        return self.joules + max(0.0, seconds - last_seconds) * (watts + last_watts) / 2

    def update_walk_square_joules(self) -> float:
        """Add the error since the last call, and return the square of the missed energy, in J² (95 %).

        It never falls. On a grid, the errors of jumps up and down cancel. So only a few jumps count between two calls.
        """
        since_variance = min(_CANCELED_JUMPS * self._jump_variance, self._variance - self._counted_variance)
        since_variance += self._uneven_variance
        self._counted_variance, self._uneven_variance = self._variance, 0.0
        self._walk_square_joules += SAMPLING_SIGMAS**2 * since_variance
        return self._walk_square_joules

    def _learn_variance(self, step: float, watts: float) -> None:
        """Learn the variance of a step, within which the time of a jump is not known.

        A jump bends the curve twice, and a slope never does. The bend is taken over four samples, because one sample
        may show the power averaged over a jump.
        """
        recent = self._recent_watts
        if len(recent) == _BEND_SAMPLES:
            variance = (step * (watts - recent[2] - recent[1] + recent[0])) ** 2 / _BEND_VARIANCES
            if self._even_seconds is not None and abs(step - self._even_seconds) > _UNEVEN_SHARE * self._even_seconds:
                self._uneven_variance += variance
            else:
                self._variance += variance
            self._jump_variance = max(2 * variance, _JUMP_FADING * self._jump_variance)

"""A GPU's energy counter as it is looked at: what rises, what began anew, and what stands still."""

from typing import Final

from green_callbacks.clock import Clock
from green_callbacks.sources.nvidia.counter.interpolation import BetweenRefreshes, Look
from green_callbacks.sources.nvidia.driver.answers import MOST_WATTS
from green_callbacks.sources.nvidia.sensor import GpuSensor

LONGEST_PERIOD_SECONDS: Final = 0.25
"""No counter of NVIDIA refreshes less often, in s (100 ms is the longest period that was seen)."""
_BRIDGED_SECONDS, _BRIDGE_TOLERANCE = 3.0, 0.05
_ROUNDING: Final = 1e-15
"""By how much sums of large numbers may be rounded, as a share of them."""
_OVER_LIMIT: Final = 1.2
"""By how much of its power limit a GPU may draw more, for a moment."""


class Looks:
    """The looks at a counter, carried on over restarts, so that what they show never falls.

    Args:
        sensor: The GPU.
        clock: The time.
        between: What is known of the counter's phase and of the power.

    Raises:
        DriverError: There is no counter. Every look raises it, too, when the driver refuses.
    """

    def __init__(self, sensor: GpuSensor, clock: Clock, between: BetweenRefreshes) -> None:
        self._sensor = sensor
        self._clock = clock
        self._between = between
        self._restarted_joules = self._most_watts = 0.0
        self.restarts = self.leaps = 0
        """How often the counter began anew, and how often of these it had leaped up."""
        self.gap_seconds = self.walk_square_joules = 0.0
        joules, now = sensor.energy_joules(), clock.monotonic()
        self.latest = self.risen = self.before_risen = Look(joules, now, now)
        """The last look, the last at which the counter had risen, and the one before that."""

    def look(self) -> Look:
        """Look at the counter now; one call of the driver, two where it shows what cannot be."""
        look = self._ask()
        latest = self.latest
        if look.joules < latest.joules or self._is_leap(latest, look):
            look = self._look_again(latest)
        if look.joules > self.risen.joules:
            self.risen, self.before_risen = look, latest
        self.latest = look
        return look

    def _ask(self) -> Look:
        monotonic = self._clock.monotonic
        before = monotonic()
        told_joules = self._sensor.energy_joules()
        joules = told_joules + self._restarted_joules
        if 0 < self.latest.joules - joules <= _ROUNDING * told_joules:
            joules = self.latest.joules  # the same value, rounded otherwise
        return Look(joules, before, monotonic())

    def _look_again(self, latest: Look) -> Look:
        """Ask again after a value that cannot be: it may have been one wrong answer."""
        look = self._ask()
        if look.joules >= latest.joules and not self._is_leap(latest, look):
            return look
        return self._restart(look)

    def _is_leap(self, latest: Look, look: Look) -> bool:
        """Return whether the counter rose by more than the GPU can draw."""
        seconds = look.after_seconds - latest.before_seconds + LONGEST_PERIOD_SECONDS
        rise = look.joules - latest.joules
        if rise <= self._most_watts * seconds:
            return False
        self._learn_most_watts()
        return rise > self._most_watts * seconds

    def _learn_most_watts(self) -> None:
        """Ask for the power limit, which may have been raised; one below what is drawn says nothing."""
        limit_watts = self._sensor.limit_watts()
        self._most_watts = _OVER_LIMIT * max(limit_watts or MOST_WATTS, self._between.power.mean_watts)

    def _restart(self, look: Look) -> Look:
        """Go on after the counter began anew: it shows the energy since; what was lost before that is bridged.

        After a short silence the lost time is taken at the mean power; after a long one it is a gap. A counter that
        shows more than the GPU can have drawn since then began anew elsewhere: all of that time is lost.
        """
        silent = self._refreshed(look) - self._refreshed(self.latest)
        since_joules = look.joules - self._restarted_joules
        self._learn_most_watts()
        if since_joules > self._most_watts * (max(0.0, silent) + LONGEST_PERIOD_SECONDS):
            since_joules = 0.0
        if look.joules > self.latest.joules:
            self.leaps += 1
        watts = self._between.power.mean_watts
        lost = min(max(0.0, silent), max(0.0, silent - since_joules / watts)) if watts else silent
        bridged = silent <= _BRIDGED_SECONDS
        self.gap_seconds += 0.0 if bridged else lost
        if bridged:
            unsure_watts = max(_BRIDGE_TOLERANCE * watts, 2 * self._between.power.spread_watts)
            self.walk_square_joules += (unsure_watts * lost) ** 2
        joules = self.latest.joules + since_joules + (watts * lost if bridged else 0.0)
        self._restarted_joules += joules - look.joules
        self.restarts += 1
        self.risen = look._replace(joules=joules)
        self._between.anchor(self.risen)
        return self.risen

    def still_seconds(self, look: Look) -> float:
        """Return how long ago the counter was refreshed when it was seen to rise the last time, in s.

        Args:
            look: The look at the instant that is asked for.
        """
        risen = self.risen
        return max(0.0, look.seconds - max(self._refreshed(risen), self.before_risen.before_seconds))

    def stopped(self) -> Look:
        """Return what a counter shows that stands still, at the time when it came to that at the mean power."""
        before, risen = self.before_risen, self.risen
        watts = self._between.power.mean_watts
        seconds = before.seconds + (risen.joules - before.joules) / watts if watts else risen.seconds
        seconds = min(seconds, risen.seconds)
        return Look(risen.joules, seconds, seconds)

    def _refreshed(self, look: Look) -> float:
        elapsed = self._between.phase.elapsed(look.seconds)
        return look.seconds - (elapsed[0] if elapsed else 0.0)

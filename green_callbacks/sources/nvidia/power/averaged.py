"""Samples a power that is the mean of the last second, and recovers the energy of the instant from it."""

from math import ceil, hypot, sqrt
from typing import ClassVar, Final

from green_callbacks.clock import Clock
from green_callbacks.records import Method
from green_callbacks.sources.common.power_integral import LONGEST_STEP_SECONDS
from green_callbacks.sources.nvidia.counter.refresh_phase import CounterPhase, Elapsed
from green_callbacks.sources.nvidia.estimates import EnergySample, Estimate, PausingWork
from green_callbacks.sources.nvidia.power.instant_power import Instants
from green_callbacks.sources.nvidia.power.last_second import LastSecond
from green_callbacks.sources.nvidia.sensor import GpuSensor

_BLIND_SAMPLE_SECONDS: Final = 0.023
"""Interval between two samples while the refresh times are unknown, in s.

It has no common multiple with the known periods. Otherwise every refresh would be seen in the same part of it.
"""
_FLAT_SECONDS: Final = 2.0
"""Time without a change of the average, in s, after which it is sampled less often (by experiment)."""
_FLAT_SAMPLE_SECONDS: Final = 0.047
"""Interval between two samples of such an average, in s (by experiment)."""
_LEAST_SAMPLE_GUARD_SECONDS: Final = 0.002
"""Shortest time before and after a predicted refresh, in s, at which a sample is taken (by experiment)."""
_PARTS: Final = 3
"""Number of parts of a slot at which an instantaneous power with its own refreshes is sampled (by experiment)."""
_SHARP_AVERAGE_SECONDS: Final = 0.003
"""Uncertainty of a refresh, in s, above which it is sampled before and after (by experiment)."""
_BRACKET_SLOTS: Final = 10
"""Number of slots after which a refresh is sampled before and after again (by experiment)."""
_MOST_APART: Final = 10.0
"""Largest score of separate refreshes of average and instantaneous power. Half of it decides (by experiment)."""
_MOST_BLIND: Final = 12
"""Number of refreshes without a steady phase after which the period is measured again (by experiment)."""
_FINE_PERIOD_SECONDS: Final = 0.06
"""Refresh period, in s, below which refresh times do not matter (by experiment)."""
_HIDDEN_SHARE: Final = 1.0
"""Largest unseen deviation of the power from a mean over 0.1 s, as a share of that mean (by experiment)."""
_HIDDEN_SECONDS: Final = 0.1
"""Longest time of such a deviation, in s."""
_SLOT_SECONDS: Final = 0.1
"""Usual time between two refreshes of the average, in s."""
_ERROR_SIGMAS: Final = 2.5
"""Standard deviations that are stated as a bound (by experiment). Late samples give the errors a long tail."""
_ONE_REFRESH: Final = 0.8
"""Longest time between two samples with only one refresh between them, in periods (by experiment)."""
_SLOT_ROUNDING: Final = 0.05
"""Share of a slot that is ignored when slots are counted (by experiment)."""
_FINDING_SECONDS: Final = 0.3
"""Longest search for the refresh times at the start, in s. It covers two usual periods."""
_FINE_SAMPLE_SECONDS: Final = 0.005
"""Pause between two samples of the search, in s (by experiment)."""
_UNSEEN_SHARE: Final = 0.3
"""Relative spread of the slots that is assumed at first (by experiment)."""
_SPREAD_LEARNING: Final = 0.05
"""Weight of the newest slot in the spread of the slots (by experiment)."""
_LEAST_SPREAD_SHARE: Final = 0.05
"""Least relative spread of the slots (by experiment)."""


class AveragedGauge:
    """The energy of a GPU by the average of its power over the last second, from zero.

    Args:
        sensor: The GPU.
        clock: The clock.

    Raises:
        DriverError: The power cannot be read.
    """

    method: ClassVar[Method] = "sampled"
    flags: ClassVar[tuple[str, ...]] = ()
    has_buffer: ClassVar[bool] = False

    def __init__(self, sensor: GpuSensor, clock: Clock) -> None:
        self._sensor = sensor
        self._clock = clock
        self.gap_seconds = 0.0
        self._before_joules = self._before_walk = 0.0
        self._blind = self._unbracketed = 0
        self._is_bracketing = False
        self._apart, self._guard_seconds = 0.0, _BLIND_SAMPLE_SECONDS
        self._begin(*self._both())

    def _begin(self, now: float, average_watts: float, watts: float | None) -> None:
        self._phase = CounterPhase(_SLOT_SECONDS)
        self._second = LastSecond(average_watts, _SLOT_SECONDS)
        self._instants = Instants(now, average_watts if watts is None else watts)
        self._is_instant = watts is not None
        self._watts: float = average_watts if watts is None else watts
        self._average_watts: float = average_watts
        self._changed_seconds: float = now
        self._sampled_seconds: float = now
        self._passed_seconds: float = now
        self._spread_square_watts: float = (_UNSEEN_SHARE * average_watts) ** 2
        self._is_aligned = False
        self._origin_joules = self._second.behind()[0]

    @property
    def poll_seconds(self) -> float:
        """Time until :meth:`sample` should be called next, in s."""
        now = self._clock.monotonic()
        return self.next_seconds(now) - now

    def next_seconds(self, now: float) -> float:
        """Return when :meth:`sample` should be called next, shortly before or after a refresh, in monotonic s.

        Args:
            now: Monotonic time in s.
        """
        elapsed, slot = self._elapsed(now), self._slot_seconds()
        if elapsed is None:
            self._guard_seconds = _BLIND_SAMPLE_SECONDS
            is_flat = now - self._changed_seconds > _FLAT_SECONDS
            due, wake = self._passed_seconds + slot, now + (_FLAT_SAMPLE_SECONDS if is_flat else _BLIND_SAMPLE_SECONDS)
            return min(wake, due) if self._is_fine and due > now else wake
        seconds, spread, _ = elapsed
        guard = self._guard_seconds = min(max(_LEAST_SAMPLE_GUARD_SECONDS, spread), slot / _PARTS)
        self._is_bracketing = spread > _SHARP_AVERAGE_SECONDS or self._unbracketed >= _BRACKET_SLOTS
        wakes = [guard, slot + guard]
        if self._is_bracketing:
            # Sample at the predicted time, too. Otherwise the filter only ever confirms its own prediction.
            wakes += [slot - guard, slot]
        if not self._is_together:  # the instantaneous power refreshes at another time, which must be sampled, too
            wakes += [slot * part / _PARTS for part in range(1, _PARTS)]
        return now - seconds + min(wake for wake in wakes if wake > seconds + _LEAST_SAMPLE_GUARD_SECONDS / 2)

    @property
    def last(self) -> EnergySample:
        """The energy at the last sample."""
        return EnergySample(self._joules_at_sample()[0], self._sampled_seconds, self._sampled_seconds)

    @property
    def unseen_joules(self) -> float:
        """Most energy that the last sample may not show yet, in J."""
        return self._watts * _SLOT_SECONDS

    @property
    def lag_joules(self) -> float:
        """Possible offset of the energy in J, while the age of an average is not known."""
        return 0.0 if self._is_aligned or self._is_fine else self._watts * _SLOT_SECONDS / 2

    @property
    def walk_square_joules(self) -> float:
        """Square of the energy that samples may have missed, in J² (95 %). It never falls."""
        return _ERROR_SIGMAS**2 * (self._before_walk + self._second.walk_square_joules)

    def sample(self) -> None:
        """Take a sample."""
        now, average_watts, watts = self._both()
        step = now - self._sampled_seconds
        if step > LONGEST_STEP_SECONDS:
            self._begin_anew(now, average_watts, watts)
            return
        if watts is not None:
            if watts != self._watts:
                apart = 1 if average_watts == self._average_watts else -1
                self._apart = min(_MOST_APART, max(0.0, self._apart + apart))
            self._instants.add(now, watts, self._since_refresh(now))
        self._watts = average_watts if watts is None else watts
        self._is_instant = watts is not None
        if average_watts != self._average_watts:
            self._changed_seconds = now
        if average_watts != self._average_watts and not self._is_fine:
            if step < _ONE_REFRESH * self._period_seconds:
                self._phase.observe(self._sampled_seconds, now)
            if self._is_bracketing and step > _PARTS * self._guard_seconds:
                self._phase.doubt()
            self._blind = self._blind + 1 if self._phase.elapsed(now) is None else 0
            if self._blind > _MOST_BLIND:  # the measured period is wrong
                self._phase, self._blind = CounterPhase(_SLOT_SECONDS), 0
        self._sampled_seconds, self._average_watts = now, average_watts
        self._pass_slots(now, average_watts)

    def find(self) -> PausingWork:
        """Find the refresh times of the average by frequent samples, until two refreshes have come."""
        start = self._sampled_seconds
        while self._sampled_seconds - start < _FINDING_SECONDS and not self._sensor.is_slow:
            yield self._sampled_seconds + _FINE_SAMPLE_SECONDS
            self.sample()
            if self._is_fine or self._phase.is_sharp(self._sampled_seconds):
                return

    def read(self) -> Estimate:
        """Return the energy now."""
        self.sample()
        joules, variance = self._joules_at_sample()
        lower, higher = self._instants.levels.reach() if self._is_instant else (0.0, 0.0)
        since = max(0.0, self._sampled_seconds - self._passed_seconds)
        half = _ERROR_SIGMAS * sqrt(variance)
        if not self._is_instant or self._second.choice:  # a mean over 0.1 s hides changes within it
            half = hypot(half, _HIDDEN_SHARE * self._watts * min(since, _HIDDEN_SECONDS))
        return joules, min(joules, max(half, lower * since)), max(half, higher * since)

    def _both(self) -> tuple[float, float, float | None]:
        before = self._clock.monotonic()
        average_watts, watts = self._sensor.both_watts()
        return (before + self._clock.monotonic()) / 2, average_watts, watts

    def _begin_anew(self, now: float, average_watts: float, watts: float | None) -> None:
        """Continue after a silence, which is a gap."""
        self.gap_seconds += now - self._sampled_seconds
        self._before_joules = self._joules_at_sample()[0]
        self._before_walk += self._second.walk_square_joules
        self._begin(now, average_watts, watts)

    @property
    def _is_together(self) -> bool:
        """Whether average and instantaneous power refresh at the same time, as far as seen."""
        return self._apart < _MOST_APART / 2

    @property
    def _period_seconds(self) -> float:
        return self._phase.period_seconds or _SLOT_SECONDS

    def _pass_slots(self, now: float, average_watts: float) -> None:
        """Close the slots that have ended. Each ends with a refresh of the average."""
        elapsed, slot = self._elapsed(now), self._slot_seconds()
        since = now - self._passed_seconds
        if elapsed is None:
            slots, refreshed = int(since // slot), self._passed_seconds + since // slot * slot
        else:
            seconds, spread, _ = elapsed
            if seconds < spread:  # the refresh may not have come yet, which the next sample shows
                return
            refreshed = now - seconds
            passed = (refreshed - self._passed_seconds) / slot
            # Before the first refresh, the age of an average was unknown and up to a slot.
            slots = round(passed) if self._is_aligned else ceil(passed - _SLOT_ROUNDING)
            if slots < 1:
                return
            self._is_aligned = True
        begin = self._passed_seconds
        for number in range(1, slots + 1):
            end = refreshed - (slots - number) * slot
            self._close_slot(begin, end, average_watts if number == slots else None)
            begin = end
        self._passed_seconds = begin

    @property
    def _is_fine(self) -> bool:
        """Whether the average refreshes so often that the refresh times do not matter."""
        return self._phase.period_seconds is not None and self._phase.period_seconds < _FINE_PERIOD_SECONDS

    def _elapsed(self, now: float) -> Elapsed | None:
        return None if self._is_fine else self._phase.elapsed(now)

    def _since_refresh(self, now: float) -> float | None:
        """Return the longest possible time since the instantaneous power refreshed, in s. None if it is not known."""
        elapsed = self._elapsed(now) if self._is_together else None
        return None if elapsed is None else elapsed[0] + elapsed[1]

    def _slot_seconds(self) -> float:
        """Return the length of a slot in s. It is the refresh period where that is about 0.1 s or more."""
        return _SLOT_SECONDS if self._is_fine else self._period_seconds

    def _close_slot(self, begin: float, end: float, average_watts: float | None) -> None:
        seconds = self._slot_seconds()
        if self._is_instant:
            longer = seconds / (end - begin)
            curves = self._instants.integral(begin, end), self._instants.means(begin, end)
            estimates = [(joules * longer, variance) for joules, variance in curves]
        else:
            spread_square_watts = self._spread_square_watts + (_LEAST_SPREAD_SHARE * self._average_watts) ** 2
            estimates = [(self._average_watts * seconds, spread_square_watts * seconds**2)] * 2
        self._second.add(estimates, seconds, average_watts)
        self._unbracketed = 0 if self._is_bracketing else self._unbracketed + 1
        if not self._is_instant:
            spread = self._second.newest_joules / seconds - self._average_watts
            self._spread_square_watts += _SPREAD_LEARNING * (spread**2 - self._spread_square_watts)

    def _joules_at_sample(self) -> tuple[float, float]:
        """Return the energy at the last sample, in J, and its variance in J²."""
        behind, variance = self._second.behind()
        seconds = self._sampled_seconds - self._passed_seconds
        if self._is_instant:
            since, unsure = self._instants.integral(self._passed_seconds, self._sampled_seconds)
        else:
            since = self._second.newest_joules / self._slot_seconds() * seconds
            unsure = self._spread_square_watts * seconds**2
        total = self._before_joules + self._second.mean_joules + behind - self._origin_joules + since
        if not self._is_aligned and not self._is_fine:
            return total + self.lag_joules, variance + unsure
        elapsed = self._elapsed(self._sampled_seconds)
        late = self._slot_seconds() if elapsed is None else elapsed[1]
        turned = late / _ERROR_SIGMAS * (self._watts - self._average_watts)
        return total, hypot(sqrt(variance + unsure), turned) ** 2

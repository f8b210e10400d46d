"""A GPU's energy counter: read between its refreshes, and followed by a few sparse reads."""

from collections.abc import Generator
from random import Random
from typing import ClassVar

from green_callbacks.clock import Clock
from green_callbacks.records import Method
from green_callbacks.sources._nvml_between import BetweenRefreshes, Look
from green_callbacks.sources._nvml_driver import DriverError
from green_callbacks.sources._nvml_edge import Edge, Steps
from green_callbacks.sources._nvml_sensor import GpuSensor
from green_callbacks.sources._phase import Elapsed
from green_callbacks.sources._plausible import Plausibility, stands_still

_LONGEST_PERIOD_SECONDS = 0.25
_SETTLING_PERIODS = 2.5
_FINE_SECONDS, _COARSE_SECONDS, _SETTLING_SECONDS = 0.004, 0.012, 0.002
_FINE_STEPS = 6
_LEAST_GUARD_SECONDS = 0.001
_SCAN = 6
_ATTEMPTS = 4
_OFTEN_SECONDS, _SELDOM_SECONDS, _RARELY_SECONDS = 0.3, 1.5, 12.0
_BRIDGED_SECONDS, _BRIDGE_TOLERANCE = 3.0, 0.05
_LEAST_MEAN_SECONDS = 0.9


class CounterUntrustworthyError(Exception):
    """The counter stands still or contradicts the power.

    Args:
        flag: One word for it.
        why: What was seen.
        last: The last look that can be trusted.
    """

    def __init__(self, flag: str, why: str, last: Look) -> None:
        super().__init__(why)
        self.flag = flag
        self.last = last


class CounterGauge:
    """The energy of a GPU by its counter.

    Args:
        sensor: The GPU.
        clock: The time.

    Raises:
        DriverError: There is no counter.
    """

    method: ClassVar[Method] = "counter"
    lag_joules: ClassVar[float] = 0.0

    def __init__(self, sensor: GpuSensor, clock: Clock) -> None:
        self._sensor = sensor
        self._clock = clock
        self._random = Random(sensor.uuid)  # noqa: S311  no secret
        self._tracked_watts: float | None = None
        self._plausibility = Plausibility(sensor.limit_watts())
        self.flags: tuple[str, ...] = ()
        self.gap_seconds = self.walk_square_joules = 0.0
        self._restarted_joules = self._turn = 0.0
        self._tracked_seconds = self._found_seconds = 0.0
        joules, now = sensor.energy_joules(), clock.monotonic()
        self._latest = self._risen = self._before_risen = self._meant = Look(joules, now, now)
        self._between = BetweenRefreshes(self._present_watts() or 0.0)

    @property
    def last(self) -> Look:
        """The last look at the counter, by whatever reading."""
        return self._latest

    @property
    def unseen_joules(self) -> float:
        """How much more than the last look shows may have run up until then, in J."""
        return self._between.power.mean_watts * (self._between.phase.period_seconds or _LONGEST_PERIOD_SECONDS)

    def read(self) -> Edge:
        """Return the energy now, without waiting: two calls of the driver."""
        look = self._look()
        return self._between.edge(look, self._present_watts())

    def glance(self) -> None:
        """Look once, to know better what has run up since: one call of the driver."""
        self._between.glanced(self._look())

    def find(self) -> Steps:
        """Find phase and period by looking often, until two refreshes have come."""
        self._found_seconds = self._clock.monotonic()
        self._between.forget_phase()
        start = last = refreshed = self._look()
        steps = found = 0
        while last.after_seconds - start.before_seconds < 2 * _LONGEST_PERIOD_SECONDS and found < 2:  # noqa: PLR2004
            pause = _FINE_SECONDS if not found or steps < _FINE_STEPS else _COARSE_SECONDS
            yield last.after_seconds + pause
            look = self._look()
            steps += 1
            if look.joules > last.joules:
                self._between.saw(last, look)
                if found:
                    self._between.practise(self._present_watts(), look.joules - refreshed.joules)
                refreshed, steps, found = look, 0, found + 1
            last = look

    def is_due(self, now_seconds: float) -> bool:
        """Return whether the counter should be looked at: soon while its phase is being learned, later if it is known.

        Args:
            now_seconds: Monotonic time in s.
        """
        phase = self._between.phase
        learning = phase.is_learning and not phase.is_sharp(now_seconds + _OFTEN_SECONDS)
        # Evenly spaced looks would see the same part of every step of the training.
        seldom_seconds = _SELDOM_SECONDS * (0.5 + self._turn)
        return now_seconds - self._tracked_seconds >= (_OFTEN_SECONDS if learning else seldom_seconds)

    def track(self) -> Steps:
        """Look shortly before and after the next refresh: three or four calls of the driver.

        Raises:
            CounterUntrustworthyError: The counter stands still or contradicts the power.
        """
        phase = self._between.phase
        for _ in range(_ATTEMPTS):
            now = self._clock.monotonic()
            elapsed = phase.elapsed(now)
            if elapsed is None:
                if now - self._found_seconds > _RARELY_SECONDS or phase.is_learning:
                    yield from self.find()
                self._tracked_watts = self._present_watts()
                break
            seen = yield from self._bracket(now, elapsed)
            if seen and (not phase.is_learning or phase.is_sharp(self._clock.monotonic())):
                break
        self._tracked_seconds = self._clock.monotonic()
        self._check()

    def settle(self) -> Generator[float, None, Edge]:
        """Wait for the next refresh, and return the energy at the instant of the call."""
        first = last = self._look()
        watts = self._present_watts()
        period = self._between.phase.period_seconds or _LONGEST_PERIOD_SECONDS
        while last.after_seconds - first.seconds < _SETTLING_PERIODS * period:
            yield last.after_seconds + _SETTLING_SECONDS
            look = self._look()
            if look.joules > last.joules:
                self._between.saw(last, look)
                return self._between.interpolated(first, last, look, (watts, self._present_watts()))
            last = look
        return self._between.edge(first, watts)

    def _bracket(self, now: float, elapsed: Elapsed) -> Generator[float, None, bool]:
        """Look before and after the next refresh, and on until it has come; return whether it was seen."""
        period = self._between.phase.period_seconds or _LONGEST_PERIOD_SECONDS
        seconds, spread, _ = elapsed
        guard = min(max(_LEAST_GUARD_SECONDS, spread), period / 3)
        due = now + period - seconds
        due += period if due - period + guard < now else 0.0
        # Edges come at any time within a refresh, and so does the power that is practised on.
        self._turn = self._random.random()
        yield due - guard - self._turn * (period - 2 * guard)
        self._tracked_watts = self._present_watts()
        yield due - guard
        before = last = self._look()
        if before.after_seconds > due - guard / 2:  # woken too late to tell
            return False
        # The look when it is due says on which side of it the refresh was: without it what is expected proves itself.
        for wake in (due, due + guard, *(due + guard + part * period / _SCAN for part in range(1, _SCAN))):
            yield wake
            look = self._look()
            if look.joules > last.joules:
                # If the awaited refresh came before the first look, this is the next one, and not alone.
                if look.after_seconds - before.before_seconds < period and self._tracked_watts is not None:
                    self._between.practise(self._tracked_watts, look.joules - before.joules)
                    if not self._sensor.averages:
                        self._plausibility.compare((look.joules - before.joules) / period, self._tracked_watts)
                self._between.saw(last, look)
                return True
            last = look
        self._between.phase.doubt()
        return False

    def _look(self) -> Look:
        latest, monotonic = self._latest, self._clock.monotonic
        before = monotonic()
        joules = self._sensor.energy_joules() + self._restarted_joules
        look = Look(joules, before, monotonic())
        if joules < latest.joules:
            look = self._restart(look)
        if look.joules > self._risen.joules:
            self._risen, self._before_risen = look, latest
        self._latest = look
        return look

    def _restart(self, look: Look) -> Look:
        """Go on after the counter began anew: it shows the energy since; what was lost before that is bridged.

        After a short silence the lost time is taken at the mean power; after a long one it is a gap.
        """
        since_joules = look.joules - self._restarted_joules
        watts = self._between.power.mean_watts
        silent = self._refreshed(look) - self._refreshed(self._latest)
        lost = min(max(0.0, silent), max(0.0, silent - since_joules / watts)) if watts else silent
        bridged = silent <= _BRIDGED_SECONDS
        self.gap_seconds += 0.0 if bridged else lost
        if bridged:
            unsure_watts = max(_BRIDGE_TOLERANCE * watts, 2 * self._between.power.spread_watts)
            self.walk_square_joules += (unsure_watts * lost) ** 2
        joules = self._latest.joules + since_joules + (watts * lost if bridged else 0.0)
        self._restarted_joules += joules - look.joules
        self.flags = ("reset",)
        self._risen = self._meant = look._replace(joules=joules)
        self._between.anchor(self._risen)
        self._plausibility.restart()
        return self._risen

    def _refreshed(self, look: Look) -> float:
        elapsed = self._between.phase.elapsed(look.seconds)
        return look.seconds - (elapsed[0] if elapsed else 0.0)

    def _check(self) -> None:
        """Notice a counter that stands still while the GPU draws power, or that contradicts the power."""
        look = self._latest
        still = stands_still(look.after_seconds - self._risen.after_seconds, self._tracked_watts)
        if still is not None:
            raise CounterUntrustworthyError(flag="counter_frozen", why=still, last=self._stopped())
        seconds = look.after_seconds - self._meant.after_seconds
        if seconds < _LEAST_MEAN_SECONDS:
            return
        watts = (look.joules - self._meant.joules) / seconds
        average_watts = self._average_watts()
        if average_watts is not None:
            self._plausibility.compare(watts, average_watts)
        contradiction = self._plausibility.doubt(watts)
        if contradiction is not None:
            raise CounterUntrustworthyError(flag="counter_implausible", why=contradiction, last=look)
        self._between.power.learn_mean(watts, seconds)
        self._meant = look

    def _stopped(self) -> Look:
        """Return what a counter shows that stands still, at the time when it came to that at the mean power."""
        before, risen = self._before_risen, self._risen
        watts = self._between.power.mean_watts
        seconds = before.seconds + (risen.joules - before.joules) / watts if watts else risen.seconds
        seconds = min(seconds, risen.seconds)
        return Look(risen.joules, seconds, seconds)

    def _average_watts(self) -> float | None:
        """Return the power of the last second in W; None where the GPU does not tell it."""
        if not self._sensor.averages:
            return None
        try:
            return self._sensor.average_watts()
        except DriverError:
            return None

    def _present_watts(self) -> float | None:
        try:
            return self._sensor.present_watts()
        except DriverError:
            return None

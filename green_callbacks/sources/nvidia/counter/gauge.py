"""A GPU's energy counter: read between its refreshes, and followed by a few sparse reads."""

from collections.abc import Generator
from random import Random
from typing import ClassVar

from green_callbacks.clock import Clock
from green_callbacks.records import Method
from green_callbacks.sources.common.plausibility import FROZEN_SECONDS, Plausibility, stands_still
from green_callbacks.sources.nvidia.counter.interpolation import BetweenRefreshes, Look
from green_callbacks.sources.nvidia.counter.observations import LONGEST_PERIOD_SECONDS, Looks
from green_callbacks.sources.nvidia.counter.power_model import Edge, Steps
from green_callbacks.sources.nvidia.counter.refresh_phase import Elapsed
from green_callbacks.sources.nvidia.distrust import UntrustworthyError
from green_callbacks.sources.nvidia.driver.calls import DriverError
from green_callbacks.sources.nvidia.sensor import GpuSensor

_SETTLING_PERIODS = 2.5
_FINE_SECONDS, _COARSE_SECONDS, _SETTLING_SECONDS = 0.004, 0.012, 0.002
_FINE_STEPS = 6
_LEAST_GUARD_SECONDS = 0.001
_SCAN = 6
_ATTEMPTS = 4
_OFTEN_SECONDS, _SELDOM_SECONDS, _RARELY_SECONDS = 0.3, 1.5, 12.0
_LEAST_MEAN_SECONDS = 0.9
_SUSPECT_SECONDS = 0.3
"""A counter that has not risen for so long, in s, should have been refreshed: it is looked at more often."""
_LATE_SECONDS = 0.12
"""A counter that was seen to rise since then, in s, is not looked into: the longest usual period, and a little."""
_LATE_PERIODS = 2.5
"""After so many periods without a refresh, what may have run up since is added to the upper bound."""
_MOST_LEAPS = 3
"""After so many leaps a counter is not trusted any more."""


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
        self._plausibility = Plausibility(sensor.limit_watts)
        self._turn = 0.0
        self._restarts = 0
        self._tracked_seconds = self._found_seconds = 0.0
        self._between = BetweenRefreshes(self._present_watts() or 0.0)
        self._looks = Looks(sensor, clock, self._between)
        self._meant = self._looks.latest

    @property
    def flags(self) -> tuple[str, ...]:
        """Short words that a reader of the energy must know."""
        return ("reset",) if self._restarts else ()

    @property
    def gap_seconds(self) -> float:
        """Seconds in which nothing was measured."""
        return self._looks.gap_seconds

    @property
    def walk_square_joules(self) -> float:
        """How far off what was bridged may be, in J²: it never falls."""
        return self._looks.walk_square_joules

    @property
    def last(self) -> Look:
        """The last look at the counter, by whatever reading."""
        return self._looks.latest

    @property
    def unseen_joules(self) -> float:
        """How much more than the last look shows may have run up until then, in J."""
        return self._between.power.mean_watts * (self._between.phase.period_seconds or LONGEST_PERIOD_SECONDS)

    @property
    def is_suspect(self) -> bool:
        """Whether the counter has not risen for longer than it should."""
        return self._looks.still_seconds(self._looks.latest) > _SUSPECT_SECONDS

    def read(self) -> Edge:
        """Return the energy now, without waiting: two calls of the driver.

        Raises:
            UntrustworthyError: The counter stands still.
        """
        look, watts = self._look(), self._present_watts()
        edge = self._between.edge(look, watts)
        is_late = look.after_seconds - self._looks.risen.after_seconds > _LATE_SECONDS
        return self._standing(look, watts, edge) if is_late else edge

    def glance(self) -> None:
        """Look once, to know better what has run up since: one call of the driver.

        Raises:
            UntrustworthyError: The counter stands still.
        """
        look = self._look()
        if (
            look.after_seconds - self._looks.risen.after_seconds > 0
            and self._looks.still_seconds(look) > _SUSPECT_SECONDS
        ):
            self._tracked_watts = self._present_watts()
            self._check_stands(look, self._tracked_watts)
        self._between.glanced(look)

    def _standing(self, look: Look, watts: float | None, edge: Edge) -> Edge:
        """Return an edge of a counter that has not risen since the last look; it may have stopped."""
        self._check_stands(look, watts)
        still = self._looks.still_seconds(look)
        if still <= _LATE_PERIODS * (self._between.phase.period_seconds or _SUSPECT_SECONDS / _LATE_PERIODS):
            return edge
        joules, below, above = edge
        return joules, below, above + still * (self._between.power.mean_watts if watts is None else watts)

    def _check_stands(self, look: Look, watts: float | None) -> None:
        still = stands_still(self._looks.still_seconds(look), watts)
        if still is not None:
            raise UntrustworthyError(flag="counter_frozen", why=still, last=self._looks.stopped())

    def find(self) -> Steps:
        """Find phase and period by looking often, until two refreshes have come."""
        self._found_seconds = self._clock.monotonic()
        self._between.forget_phase()
        start = last = refreshed = self._look()
        steps = found = 0
        while last.after_seconds - start.before_seconds < 2 * LONGEST_PERIOD_SECONDS and found < 2:  # noqa: PLR2004
            if self._sensor.is_slow:
                return
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
            UntrustworthyError: The counter stands still or contradicts the power.
        """
        phase = self._between.phase
        for _ in range(_ATTEMPTS):
            now = self._clock.monotonic()
            if self._sensor.is_slow:  # what is seen of a refresh would be as unsharp as a call is long
                self.glance()
                self._tracked_watts = self._present_watts()
                break
            elapsed = phase.elapsed(now)
            if self.is_suspect:
                self.glance()
                break
            if elapsed is None:
                if now - self._found_seconds > _RARELY_SECONDS or phase.is_learning:
                    yield from self.find()
                self._tracked_watts = self._present_watts()
                break
            seen = yield from self._bracket(now, elapsed)
            if not seen and self.is_suspect:
                yield self._looks.latest.after_seconds + max(
                    0.0, FROZEN_SECONDS - self._looks.still_seconds(self._looks.latest)
                )
                self.glance()
                break
            if seen and (not phase.is_learning or phase.is_sharp(self._clock.monotonic())):
                break
        self._tracked_seconds = self._clock.monotonic()
        self._check()

    def settle(self) -> Generator[float, None, Edge]:
        """Wait for the next refresh, and return the energy at the instant of the call."""
        first = last = self._look()
        watts = self._present_watts()
        period = self._between.phase.period_seconds or LONGEST_PERIOD_SECONDS
        while last.after_seconds - first.seconds < _SETTLING_PERIODS * period and not self._sensor.is_slow:
            yield last.after_seconds + _SETTLING_SECONDS
            look = self._look()
            if look.joules > last.joules:
                self._between.saw(last, look)
                return self._between.interpolated(first, last, look, (watts, self._present_watts()))
            last = look
        return self._standing(last, watts, self._between.edge(first, watts))

    def _bracket(self, now: float, elapsed: Elapsed) -> Generator[float, None, bool]:
        """Look before and after the next refresh, and on until it has come; return whether it was seen."""
        period = self._between.phase.period_seconds or LONGEST_PERIOD_SECONDS
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
        look = self._looks.look()
        if self._looks.restarts != self._restarts:
            self._restarts, self._meant = self._looks.restarts, look
            self._plausibility.restart()
        return look

    def _check(self) -> None:
        """Notice a counter that stands still while the GPU draws power, or that contradicts the power."""
        look = self._looks.latest
        self._check_stands(look, self._tracked_watts)
        if self._looks.leaps >= _MOST_LEAPS:
            leaps = f"its energy counter has leaped {self._looks.leaps} times"
            raise UntrustworthyError(flag="counter_implausible", why=leaps, last=look)
        seconds = look.after_seconds - self._meant.after_seconds
        if seconds < _LEAST_MEAN_SECONDS:
            return
        watts = (look.joules - self._meant.joules) / seconds
        average_watts = self._average_watts()
        if average_watts is not None:
            self._plausibility.compare(watts, average_watts)
        contradiction = self._plausibility.doubt(watts)
        if contradiction is not None:
            raise UntrustworthyError(flag="counter_implausible", why=contradiction, last=look)
        self._between.power.learn_mean(watts, seconds)
        self._meant = look

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

import os
"""A GPU's energy counter: read between its refreshes, and followed by a few sparse reads."""

from collections.abc import Generator
from math import sqrt
from typing import ClassVar, NamedTuple

from green_callbacks.clock import Clock
from green_callbacks.records import Method
from green_callbacks.sources._nvml_driver import DriverError
from green_callbacks.sources._nvml_edge import Edge, EdgePower, Steps
from green_callbacks.sources._nvml_sensor import GpuSensor
from green_callbacks.sources._phase import CounterPhase, Elapsed

_LONGEST_PERIOD_SECONDS = 0.25
_FINE_SECONDS, _COARSE_SECONDS = 0.004, 0.012
_FINE_STEPS = 6
_LEAST_GUARD_SECONDS = 0.001
_SETTLING_SECONDS = 0.002
_ATTEMPTS = 4
_STEADY_SHARE = 0.03
MODE=float(os.environ.get('MODE','.5'));HW=float(os.environ.get('HW','1'))
_OFTEN_SECONDS, _USUAL_SECONDS, _SELDOM_SECONDS = 0.3, 1.0, 1.6
_ALONE = 0.95
_MISSES = float(os.environ.get('K','1.7'))
_PLAUSIBLE_OVER_LIMIT = 1.2
_BRIDGED_SECONDS = 3.0
_FROZEN_SECONDS = 0.6
_LEAST_WATTS = 1.0


class Look(NamedTuple):
    """A look at the counter: what it showed, and between which instants it was asked."""

    joules: float
    before_seconds: float
    after_seconds: float


class CounterUntrustworthyError(Exception):
    """The counter stands still or contradicts the power.

    Args:
        flag: One word for it.
        why: What was seen.
        since_seconds: Monotonic time from which on the counter cannot be used.
    """

    def __init__(self, flag: str, why: str, since_seconds: float) -> None:
        super().__init__(why)
        self.flag = flag
        self.since_seconds = since_seconds


class CounterGauge:
    """The energy of a GPU by its counter.

    Args:
        sensor: The GPU.
        clock: The time.

    Raises:
        DriverError: There is no counter.
    """

    method: ClassVar[Method] = "counter"

    def __init__(self, sensor: GpuSensor, clock: Clock) -> None:
        self._sensor = sensor
        self._clock = clock
        self._limit_watts = sensor.limit_watts()
        self.flags: list[str] = []
        self.gap_seconds = 0.0
        self._tracked_seconds = 0.0
        self._phase = CounterPhase()
        self._power = EdgePower(self._present_watts() or 0.0)
        self._restarted_joules = 0.0
        self._latest = self._risen = self._meant = Look(sensor.energy_joules(), *(clock.monotonic(),) * 2)
        self._anchor_joules = self._latest.joules

    def read(self) -> Edge:
        """Return the energy now, without waiting: two calls of the driver."""
        look = self._look()
        return self._edge(look, self._present_watts())

    def find(self) -> Steps:
        """Find phase and period by looking often, for up to three periods."""
        self._phase = CounterPhase()
        start = last = self._look()
        steps, found = 0, 0
        while last.after_seconds - start.before_seconds < 2 * _LONGEST_PERIOD_SECONDS and found < 2:  # noqa: PLR2004
            pause = _FINE_SECONDS if not found or steps < _FINE_STEPS else _COARSE_SECONDS
            yield last.after_seconds + pause
            look = self._look()
            steps += 1
            if look.joules > last.joules:
                self._phase.observe(last.before_seconds, look.after_seconds)
                if found:
                    self._practise(self._present_watts(), look.joules - self._anchor_joules)
                self._anchor_joules = look.joules
                steps, found = 0, found + 1
            last = look

    def track(self) -> Steps:
        """Look shortly before and after the next refresh: three calls of the driver if it comes when it should."""
        for _ in range(_ATTEMPTS):
            now = self._clock.monotonic()
            elapsed = self._phase.elapsed(now)
            if elapsed is None:
                yield from self.find()
                self._check_moving(self._present_watts())
                return
            seen = yield from self._bracket(now, elapsed)
            if seen and not (self._phase.is_learning and not self._phase.is_sharp(self._clock.monotonic())):
                break
        self._tracked_seconds = self._clock.monotonic()

    def is_due(self, now_seconds: float) -> bool:
        """Return whether the counter should be looked at: soon while its phase is being learned, later if it is known.

        Args:
            now_seconds: Monotonic time in s.
        """
        wanted = _SELDOM_SECONDS if self._phase.is_sharp(now_seconds + _OFTEN_SECONDS) else _OFTEN_SECONDS
        if not self._phase.is_learning:
            wanted = max(wanted, _USUAL_SECONDS)
        return now_seconds - self._tracked_seconds >= wanted

    def settle(self) -> Generator[float, None, Edge]:
        """Wait for the next refresh, and return the energy at the instant of the call."""
        first = self._look()
        watts = self._present_watts()
        asked = (first.before_seconds + first.after_seconds) / 2
        last = first
        while last.after_seconds - asked < 1.5 * _LONGEST_PERIOD_SECONDS:
            yield last.after_seconds + _SETTLING_SECONDS
            look = self._look()
            if look.joules > last.joules:
                self._phase.observe(last.before_seconds, look.after_seconds)
                self._anchor_joules = look.joules
                return self._interpolated(first, last, look, watts)
            last = look
        return self._edge(first, watts)

    def _bracket(self, now: float, elapsed: Elapsed) -> Generator[float, None, bool]:
        period = self._phase.period_seconds
        assert period is not None  # noqa: S101  for the type checker
        guard = min(max(_LEAST_GUARD_SECONDS, elapsed.spread_seconds), period / 3)
        due = now + period - elapsed.seconds
        if due - guard <= now:
            due += period
        yield due - guard
        before = self._look()
        watts = self._present_watts()
        self._learn_mean(before)
        if before.after_seconds > due - guard / 2:  # woken too late to tell
            return False
        looks = [due, due + guard] if guard > 2 * _LEAST_GUARD_SECONDS else [due + guard]
        looks += [due + 3 * guard] if period > 4 * guard else []
        last = before
        for wake in looks:
            yield wake
            look = self._look()
            if look.joules > last.joules:
                if look.after_seconds - before.before_seconds < period:
                    self._saw(last, look, watts, before)
                    return True
                return False
            last = look
        self._phase.doubt()
        return False

    def _saw(self, last: Look, look: Look, watts: float | None, before: Look) -> None:
        """Learn from one refresh between two looks: when it was, and what energy the refresh before it began with."""
        self._practise(watts, look.joules - before.joules)
        self._phase.observe(last.before_seconds, look.after_seconds)
        self._anchor_joules = look.joules

    def _practise(self, watts: float | None, risen_joules: float) -> None:
        if watts is not None and self._phase.period_seconds is not None:
            self._power.practise(watts, risen_joules / self._phase.period_seconds)

    def _edge(self, look: Look, watts: float | None) -> Edge:
        now = (look.before_seconds + look.after_seconds) / 2
        present = self._power.mean_watts if watts is None else watts
        elapsed = self._phase.elapsed(now)
        period = self._phase.period_seconds
        if elapsed is None or period is None:
            half = present * (period or 0.1) / 2
            return Edge(look.joules + half, _ALONE * half, _ALONE * half)
        seconds = self._resolved(look, elapsed, period)
        part = seconds / period
        expected = self._power.expected_watts(present, part)
        miss = self._power.miss_watts(part)
        half = sqrt((_MISSES * miss * seconds) ** 2 + (expected * elapsed.spread_seconds) ** 2)
        joules = look.joules + expected * seconds
        return Edge(joules, half, half)

    def _resolved(self, look: Look, elapsed: Elapsed, period: float) -> float:
        """Return the time since the refresh that the counter shows, where it may just have come, or not yet."""
        seconds, spread = elapsed.seconds, elapsed.spread_seconds
        if spread <= seconds <= period - spread:
            return seconds
        if seconds < spread:
            other, odds = seconds + period, (spread - seconds) / (spread + seconds)
            refreshes = elapsed.refreshes - 1
        else:
            other, odds = 0.0, (seconds - period + spread) / (period - seconds + spread)
            refreshes = elapsed.refreshes + 1
        risen = look.joules - self._anchor_joules
        mean, deviation = self._power.mean_watts, max(self._power.spread_watts, 0.005 * self._power.mean_watts)
        def unlikely(n: int) -> float:
            width = deviation * period * max(1, n) + 0.1
            return ((risen - n * mean * period) / width) ** 2
        odds *= 2.718281828 ** (0.5 * max(-40.0, min(40.0, unlikely(elapsed.refreshes) - unlikely(refreshes))))
        return other if odds > 1 else seconds

    def _interpolated(self, first: Look, last: Look, look: Look, watts: float | None) -> Edge:
        """Return the energy at the first of three looks: a refresh came between the other two.

        What ran up between is what the power before leaves of the refresh, or what the power after amounts to: each
        counts by how short a time it must hold for.
        """
        asked = (first.before_seconds + first.after_seconds) / 2
        refresh = (last.before_seconds + look.after_seconds) / 2
        now_watts = self._present_watts()
        remaining = max(0.0, refresh - asked)
        risen = look.joules - first.joules
        period = self._phase.period_seconds or refresh - asked
        passed = max(0.0, period - remaining)
        linear = risen * min(1.0, remaining / period)
        if watts is None or now_watts is None:
            run_up = linear
        else:
            weight = remaining**2 / (passed**2 + remaining**2)
            ab = weight * (risen - watts * passed) + (1 - weight) * now_watts * remaining
            run_up = MODE * min(risen, max(0.0, ab)) + (1 - MODE) * linear
            if abs(watts - now_watts) <= _STEADY_SHARE * watts and abs(risen - watts * period) < 0.25 * risen:
                run_up = min(risen, (watts + now_watts) / 2 * remaining)
        miss = self._power.miss_watts(min(1.0, remaining / period))
        sharp = risen / period * (look.after_seconds - last.before_seconds) / 2
        half = sqrt(sharp**2 + (run_up - linear) ** 2 + (HW * miss * remaining * passed / period) ** 2)
        return Edge(look.joules - run_up, half, half)

    def _learn_mean(self, look: Look) -> None:
        seconds = look.after_seconds - self._meant.after_seconds
        if seconds < _LONGEST_PERIOD_SECONDS:
            return
        watts = (look.joules - self._meant.joules) / seconds
        if self._limit_watts is not None and watts > _PLAUSIBLE_OVER_LIMIT * self._limit_watts:
            why = f"its energy counter says {watts:.0f} W, far over its limit of {self._limit_watts:.0f} W"
            raise CounterUntrustworthyError("counter_implausible", why, self._meant.after_seconds)
        self._power.learn_mean(watts, seconds)
        self._meant = look

    def _present_watts(self) -> float | None:
        try:
            return self._sensor.present_watts()
        except DriverError:
            return None

    def _look(self) -> Look:
        before = self._clock.monotonic()
        joules = self._sensor.energy_joules() + self._restarted_joules
        look = Look(joules, before, self._clock.monotonic())
        if joules < self._latest.joules:
            look = self._restart(look)
        if look.joules > self._risen.joules:
            self._risen = look
        self._latest = look
        return look

    def _restart(self, look: Look) -> Look:
        """Go on after the counter began anew: it shows the energy since; what was lost before that is bridged.

        After a short silence the lost time is taken at the mean power; after a long one it is a gap.
        """
        since_joules = look.joules - self._restarted_joules
        silent = look.after_seconds - self._latest.after_seconds
        mean = self._power.mean_watts
        lost = min(silent, max(0.0, silent - since_joules / mean)) if mean else silent
        if silent <= _BRIDGED_SECONDS:
            lost_joules = mean * lost
        else:
            lost_joules = 0.0
            self.gap_seconds += lost
        joules = self._latest.joules + lost_joules + since_joules
        self._restarted_joules += joules - look.joules
        self.flags = ["reset"]
        look = look._replace(joules=joules)
        self._risen = self._meant = look
        self._anchor_joules = joules
        self._phase.doubt()
        return look

    def _check_moving(self, watts: float | None) -> None:
        """Notice a counter that stands still while the GPU draws power."""
        still = self._latest.after_seconds - self._risen.after_seconds
        if watts is not None and watts >= _LEAST_WATTS and still > _FROZEN_SECONDS:
            raise CounterUntrustworthyError(
                "counter_frozen", f"its energy counter has stood still for {still:.1f} s", self._risen.after_seconds
            )

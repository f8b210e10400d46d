"""The energy between two refreshes of a counter: from when they come, and from the power."""

from collections import deque
from math import exp, sqrt
from typing import NamedTuple

from green_callbacks.sources.nvidia.counter.power_model import Edge, EdgePower
from green_callbacks.sources.nvidia.counter.refresh_phase import CounterPhase, Elapsed

_USUAL_PERIOD_SECONDS = 0.1
_ALMOST_ALL = 0.95
_UNSHARP = 1.2
_MISSES = 1.2
_INTERPOLATED_MISSES = 1.5
_CERTAIN, _POSSIBLE = 20.0, 0.1
_LEAST_SPREAD, _RESOLUTION_JOULES = 0.005, 0.1
_SAME_POWER, _SAME_ENERGY = 0.03, 0.25
_MIXED, _ONE_STEP = 1.2, 1.5
_SAME_LEVEL, _LEVELS = 0.01, 8


class Look(NamedTuple):
    """A look at the counter: what it showed in J, and between which monotonic instants it was asked."""

    joules: float
    before_seconds: float
    after_seconds: float

    @property
    def seconds(self) -> float:
        """The instant it is taken for."""
        return (self.before_seconds + self.after_seconds) / 2


Level = tuple[float, int]
"""The mean power of some refreshes, in W, and how many they are."""


class BetweenRefreshes:
    """What is known of a counter's phase and of the power, and what follows for the energy at an instant.

    Args:
        watts: Power to begin with, in W.
    """

    def __init__(self, watts: float) -> None:
        self.phase = CounterPhase()
        self.power = EdgePower(watts)
        self._anchor_joules = self._anchor_seconds = self._anchor_spread_seconds = 0.0
        self._base_joules, self._base_refreshes = 0.0, 0
        self._base_watts: float | None = None
        self._levels: deque[float] = deque(maxlen=_LEVELS)

    def forget_phase(self) -> None:
        """Begin to look for the phase anew."""
        self.phase = CounterPhase()

    def saw(self, last: Look, look: Look) -> None:
        """Take in a refresh that came between two looks.

        Args:
            last: The last look before it.
            look: The first after it.
        """
        self.phase.observe(last.before_seconds, look.after_seconds)
        self._anchor_joules = self._base_joules = look.joules
        self._base_refreshes = 0
        self._anchor_seconds = (last.before_seconds + look.after_seconds) / 2
        self._anchor_spread_seconds = _UNSHARP * (look.after_seconds - last.before_seconds) / 2

    def practise(self, watts: float | None, risen_joules: float) -> None:
        """Take in the energy of one refresh.

        Args:
            watts: The power read just before it, in W; None if it could not be read.
            risen_joules: By how much the counter rose.
        """
        if watts is not None and self.phase.period_seconds is not None:
            self._base_watts = risen_joules / self.phase.period_seconds
            if not self._is_seen(watts):
                self._levels.append(watts)
            self.power.practise(watts, self._base_watts)

    def glanced(self, look: Look) -> None:
        """Take in a look at any time: it tells the energy up to the refresh before it, if it is clear which that is."""
        elapsed, period = self.phase.elapsed(look.seconds), self.phase.period_seconds
        if elapsed is not None and period is not None:
            seconds, spread, refreshes = elapsed
            if spread <= seconds <= period - spread and refreshes > self._base_refreshes:
                self._base_watts = (look.joules - self._base_joules) / ((refreshes - self._base_refreshes) * period)
                self._base_joules, self._base_refreshes = look.joules, refreshes

    def anchor(self, look: Look) -> None:
        """Note what the counter shows, where that does not follow from what it showed before."""
        elapsed = self.phase.elapsed(look.seconds)
        self._anchor_joules, self._anchor_seconds = look.joules, 0.0
        self._base_joules, self._base_refreshes = look.joules, elapsed[2] if elapsed else 0
        self._base_watts = None
        self.phase.doubt()

    def edge(self, look: Look, watts: float | None) -> Edge:
        """Return the energy at the instant of a look.

        Without a steady phase, the refresh is taken to be half a period ago, give or take almost half a period.

        Args:
            look: The look.
            watts: The power then, in W; None if it could not be read.
        """
        power, period = self.power, self.phase.period_seconds
        present = power.mean_watts if watts is None else watts
        elapsed = self._elapsed(look)
        if elapsed is None or period is None:
            half = present * (period or _USUAL_PERIOD_SECONDS) / 2
            return look.joules + half, _ALMOST_ALL * half, _ALMOST_ALL * half
        seconds, spread, refreshes = elapsed
        other = seconds
        if not spread <= seconds <= period - spread:
            seconds, other, refreshes = self._resolved(look, elapsed, period, present)
        level = self._level(look, refreshes, period) if power.is_stepwise else None
        expected, missed = self._since_refresh(present, level, seconds / period)
        half = sqrt((missed * seconds) ** 2 + (expected * spread) ** 2)
        if other == seconds:
            return look.joules + expected * seconds, half, half
        below, above = max(half, (seconds - other) * expected), max(half, (other - seconds) * expected)
        return look.joules + expected * seconds, below, above

    def _since_refresh(self, present: float, level: Level | None, part: float) -> tuple[float, float]:
        """Return the mean power to expect since the last refresh, and by how much it may be missed, in W.

        Where the power changes in steps, the mean power of the last refreshes says when: if it is the power of now,
        nothing has changed; if it is another that was seen, the step came since the last of them. If it is none, the
        one step in so few refreshes came before that, or the power rises or falls slowly: what is taken lies between.

        Args:
            present: The power now, in W.
            level: The last refreshes; None if they say nothing.
            part: Time since the last of them, in periods.
        """
        if level is not None:
            watts, refreshes = level
            change = present - watts
            if abs(change) <= _SAME_LEVEL * watts:
                return present, abs(change)
            if self._is_seen(watts):
                return present - change / 2, _ALMOST_ALL * abs(change) / 2
            if refreshes * self.power.step_share <= _ONE_STEP:
                in_between = change * part / (2 * part + refreshes) / 2
                return present if self._is_seen(present) else present - in_between, _MIXED * abs(in_between)
        return self.power.expected_watts(present, part), _MISSES * self.power.miss_watts(part)

    def _is_seen(self, watts: float) -> bool:
        """Return whether a power is one of the levels between which it steps."""
        for seen in self._levels:  # noqa: SIM110  any() takes twice as long, and this is asked at every edge
            if abs(watts - seen) <= _SAME_LEVEL * watts:
                return True
        return False

    def _level(self, look: Look, refreshes: int, period: float) -> Level | None:
        """Return the refreshes since the last look, or the one before it where there was none."""
        since = refreshes - self._base_refreshes
        if since > 0:
            return (look.joules - self._base_joules) / (since * period), since
        return None if self._base_watts is None else (self._base_watts, 1)

    def interpolated(self, first: Look, last: Look, look: Look, powers: tuple[float | None, float | None]) -> Edge:
        """Return the energy at the instant of a look, in the light of the next refresh.

        What ran up from then to the refresh is estimated twice: as a part of the whole refresh, and from the powers.
        Of those, what the power before leaves of the refresh, and what the power after amounts to, count by how short
        a time they must hold for. The mean of the two estimates is taken, and their difference says how good it is.

        Args:
            first: The look at the instant that is asked for.
            last: The last look before the refresh.
            look: The first look after it.
            powers: The power at the first and at the last look, in W; None where it could not be read.
        """
        refresh = (last.before_seconds + look.after_seconds) / 2
        remaining = max(0.0, refresh - first.seconds)
        risen = look.joules - first.joules
        period = max(self.phase.period_seconds or 0.0, remaining, 1e-6)
        passed = period - remaining
        linear = risen * remaining / period
        run_up = self._run_up(risen, remaining, passed, powers, sharp=self.phase.is_sharp(refresh))
        run_up = linear if run_up is None else run_up
        missed = _INTERPOLATED_MISSES * self.power.miss_watts(remaining / period) * remaining * passed / period
        unsharp = risen / period * _UNSHARP * (look.after_seconds - last.before_seconds) / 2
        uneven = linear / period * self.phase.jitter_seconds
        half = sqrt(unsharp**2 + uneven**2 + (run_up - linear) ** 2 + missed**2)
        return look.joules - run_up, half, half

    @staticmethod
    def _run_up(
        risen: float, remaining: float, passed: float, powers: tuple[float | None, float | None], *, sharp: bool
    ) -> float | None:
        before, after = powers
        if before is None or after is None:
            return None
        period = passed + remaining
        steady = abs(before - after) <= _SAME_POWER * before and abs(risen - before * period) < _SAME_ENERGY * risen
        if steady and not sharp:  # the power is known better than the length of this refresh
            return min(risen, (before + after) / 2 * remaining)
        weight = remaining**2 / (passed**2 + remaining**2)
        by_powers = weight * (risen - before * passed) + (1 - weight) * after * remaining
        return (min(risen, max(0.0, by_powers)) + risen * remaining / period) / 2

    def _elapsed(self, look: Look) -> Elapsed | None:
        """Return how long ago the counter was refreshed: as it was seen, if it still shows that, else as it was due."""
        joules, before, after = look
        now, phase = (before + after) / 2, self.phase
        if joules == self._anchor_joules and phase.period_seconds is not None:
            since = now - self._anchor_seconds
            if since < phase.period_seconds:
                return since, min(self._anchor_spread_seconds, since), 0
        return phase.elapsed(now)

    def _resolved(self, look: Look, elapsed: Elapsed, period: float, present: float) -> tuple[float, float, int]:
        """Return the time since the refresh that the counter shows, where it may just have come, or not yet.

        The refreshes that the counter has counted since the last one observed are weighed: by when they are due, and
        by the energy that they would have had.

        Returns:
            The time in s, the other possible one, the same again where there is no doubt, and the refreshes counted.
        """
        seconds, spread, counted = elapsed
        if seconds < spread:
            other, odds, refreshes = seconds + period, (spread - seconds) / (spread + seconds), counted - 1
        else:
            early = period - seconds
            other, odds, refreshes = 0.0, (spread - early) / (spread + early), counted + 1
        surprise = self._surprise_by_level if self.power.is_stepwise else self._surprise_by_mean
        unlikelier = surprise(look, refreshes, period, present) - surprise(look, counted, period, present)
        odds *= exp(min(_CERTAIN, max(-_CERTAIN, -unlikelier / 2)))
        likely, unlikely, counted = (other, seconds, refreshes) if odds > 1 else (seconds, other, counted)
        return likely, unlikely if _POSSIBLE < odds < 1 / _POSSIBLE else likely, counted

    def _surprise_by_mean(self, look: Look, refreshes: int, period: float, _: float) -> float:
        """Return by how many standard deviations, squared, the energy of so many refreshes is off the mean."""
        watts = self.power.mean_watts
        spread_watts = max(self.power.spread_watts, _LEAST_SPREAD * watts)
        since = refreshes - self._base_refreshes
        deviation = spread_watts * period * max(1, since) + _RESOLUTION_JOULES
        if deviation > watts * period / 2:  # the power changes too much to count refreshes by their energy
            return 0.0
        return ((look.joules - self._base_joules - since * watts * period) / deviation) ** 2

    def _surprise_by_level(self, look: Look, refreshes: int, period: float, present: float) -> float:
        """Return the same where the power changes in steps: as if it had not since the last look.

        If it has, neither number of refreshes fits, and one is as surprising as the other.
        """
        since = refreshes - self._base_refreshes
        deviation = _SAME_LEVEL * present * period * max(1, since) + _RESOLUTION_JOULES
        return min(2 * _CERTAIN, ((look.joules - self._base_joules - since * present * period) / deviation) ** 2)

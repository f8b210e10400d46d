"""The energy between two refreshes of a counter, from their times and from the power."""

from collections import deque
from math import exp, sqrt
from typing import Final

from green_callbacks.sources.nvidia.counter.power_model import PowerModel
from green_callbacks.sources.nvidia.counter.refresh_phase import CounterPhase, Elapsed
from green_callbacks.sources.nvidia.estimates import EnergySample, Estimate

_USUAL_PERIOD_SECONDS: Final = 0.1
"""Period in s that is assumed before it is measured. It is the most common period."""
_HALF_PERIOD_BOUND: Final = 0.95
"""Share of the largest possible error that is stated as a bound where the error is uniform (95 %)."""
_ANCHOR_WIDTHS: Final = 1.2
"""Half-widths of an interval with a refresh that are stated as its uncertainty (by experiment). Threads wake late."""
_MISS_SIGMAS: Final = 1.2
"""Standard errors of the predicted power that are stated as a bound (by experiment)."""
_SETTLED_MISS_SIGMAS: Final = 1.5
"""Standard errors of the power that are stated as a bound of a settled window (by experiment)."""
_CERTAIN: Final = 20.0
"""Largest difference of squared surprises that counts. It is e¹⁰ in odds, so that ``exp`` does not overflow."""
_POSSIBLE: Final = 0.1
"""Odds below which an alternative refresh count is ruled out (by experiment)."""
_LEAST_SPREAD: Final = 0.005
"""Least relative spread of refresh means when refreshes are counted by their energy (by experiment)."""
_RESOLUTION_JOULES: Final = 0.1
"""Error of a counted energy, in J, that is always assumed (by experiment)."""
_SAME_POWER: Final = 0.03
"""Largest relative difference of two powers that count as equal in a settled window (by experiment)."""
_SAME_ENERGY: Final = 0.25
"""Largest relative difference of a refresh's energy and its power times the period (by experiment)."""
_MIXED_BOUND: Final = 1.2
"""Bound of the error where the time of a step is estimated, relative to the correction (by experiment)."""
_ONE_STEP: Final = 1.5
"""Expected number of steps up to which exactly one step is assumed (by experiment)."""
_SAME_LEVEL: Final = 0.01
"""Largest relative difference of a power and a level at which they count as equal (by experiment)."""
_LEVELS: Final = 8
"""Number of power levels that are remembered (by experiment)."""


RefreshLevel = tuple[float, int]
"""The mean power of some refreshes in W, and their number."""


class EnergyInterpolator:
    """Estimates the energy at an instant from the counter's phase and from the power.

    Args:
        watts: Power to begin with, in W.
    """

    def __init__(self, watts: float) -> None:
        self.phase = CounterPhase()
        self.power = PowerModel(watts)
        self._anchor_joules = self._anchor_seconds = self._anchor_spread_seconds = 0.0
        self._base_joules, self._base_refreshes = 0.0, 0
        self._base_watts: float | None = None
        self._levels: deque[float] = deque(maxlen=_LEVELS)

    def forget_phase(self) -> None:
        """Forget the phase, so that it is searched for anew."""
        self.phase = CounterPhase()

    def observe_refresh(self, last: EnergySample, sample: EnergySample) -> None:
        """Take in a refresh that came between two samples.

        Args:
            last: The last sample before the refresh.
            sample: The first sample after the refresh.
        """
        self.phase.observe(last.before_seconds, sample.after_seconds)
        self._anchor_joules = self._base_joules = sample.joules
        self._base_refreshes = 0
        self._anchor_seconds = (last.before_seconds + sample.after_seconds) / 2
        self._anchor_spread_seconds = _ANCHOR_WIDTHS * (sample.after_seconds - last.before_seconds) / 2

    def calibrate(self, watts: float | None, risen_joules: float) -> None:
        """Calibrate the power model with the energy of one refresh.

        Args:
            watts: The power read just before the refresh, in W. None if it could not be read.
            risen_joules: The rise of the counter, in J.
        """
        if watts is not None and self.phase.period_seconds is not None:
            self._base_watts = risen_joules / self.phase.period_seconds
            if not self._is_seen(watts):
                self._levels.append(watts)
            self.power.calibrate(watts, self._base_watts)

    def observe_sample(self, sample: EnergySample) -> None:
        """Take in a sample at any time. It gives the energy up to the last refresh, if that refresh is certain.

        Args:
            sample: The sample.
        """
        elapsed, period = self.phase.elapsed(sample.seconds), self.phase.period_seconds
        if elapsed is not None and period is not None:
            seconds, spread, refreshes = elapsed
            if spread <= seconds <= period - spread and refreshes > self._base_refreshes:
                self._base_watts = (sample.joules - self._base_joules) / ((refreshes - self._base_refreshes) * period)
                self._base_joules, self._base_refreshes = sample.joules, refreshes

    def restart(self, sample: EnergySample) -> None:
        """Take in a sample that does not follow from the samples before it.

        Args:
            sample: The sample.
        """
        elapsed = self.phase.elapsed(sample.seconds)
        self._anchor_joules, self._anchor_seconds = sample.joules, 0.0
        self._base_joules, self._base_refreshes = sample.joules, elapsed[2] if elapsed else 0
        self._base_watts = None
        self.phase.doubt()

    def estimate(self, sample: EnergySample, watts: float | None) -> Estimate:
        """Return the energy at the instant of a sample.

        Without a steady phase, the last refresh is assumed to be half a period ago, and the bounds cover almost the
        whole period.

        Args:
            sample: The sample.
            watts: The power then, in W. None if it could not be read.
        """
        power, period = self.power, self.phase.period_seconds
        present = power.mean_watts if watts is None else watts
        elapsed = self._elapsed(sample)
        if elapsed is None or period is None:
            half = present * (period or _USUAL_PERIOD_SECONDS) / 2
            return sample.joules + half, _HALF_PERIOD_BOUND * half, _HALF_PERIOD_BOUND * half
        seconds, spread, refreshes = elapsed
        other = seconds
        if not spread <= seconds <= period - spread:
            seconds, other, refreshes = self._resolved(sample, elapsed, period, present)
        level = self._level(sample, refreshes, period) if power.is_stepwise else None
        expected, missed = self._since_refresh(present, level, seconds / period)
        half = sqrt((missed * seconds) ** 2 + (expected * spread) ** 2)
        if other == seconds:
            return sample.joules + expected * seconds, half, half
        below, above = max(half, (seconds - other) * expected), max(half, (other - seconds) * expected)
        return sample.joules + expected * seconds, below, above

    def _since_refresh(self, present: float, level: RefreshLevel | None, part: float) -> tuple[float, float]:
        """Return the expected mean power since the last refresh, and its possible error, both in W.

        If the power changes in steps, the mean power of the last refreshes is compared with the present power. If both
        are equal, there was no step. If the mean is another known level, the step came after the last refresh. In all
        other cases the step came earlier, or the power rises or falls slowly. Then the estimate is interpolated.

        Args:
            present: The power now, in W.
            level: The last refreshes. None if nothing is known of them.
            part: Time since the last refresh, in periods.
        """
        if level is not None:
            watts, refreshes = level
            change = present - watts
            if abs(change) <= _SAME_LEVEL * watts:
                return present, abs(change)
            if self._is_seen(watts):
                return present - change / 2, _HALF_PERIOD_BOUND * abs(change) / 2
            if refreshes * self.power.step_share <= _ONE_STEP:
                in_between = change * part / (2 * part + refreshes) / 2
                return present if self._is_seen(present) else present - in_between, _MIXED_BOUND * abs(in_between)
        return self.power.expected_watts(present, part), _MISS_SIGMAS * self.power.miss_watts(part)

    def _is_seen(self, watts: float) -> bool:
        """Return whether a power is one of the known levels."""
        for seen in self._levels:  # noqa: SIM110  any() takes twice as long, and this is asked at every estimate
            if abs(watts - seen) <= _SAME_LEVEL * watts:
                return True
        return False

    def _level(self, sample: EnergySample, refreshes: int, period: float) -> RefreshLevel | None:
        """Return the refreshes since the last sample, or the refresh before it if there was none since."""
        since = refreshes - self._base_refreshes
        if since > 0:
            return (sample.joules - self._base_joules) / (since * period), since
        return None if self._base_watts is None else (self._base_watts, 1)

    def interpolated(
        self, first: EnergySample, last: EnergySample, sample: EnergySample, powers: tuple[float | None, float | None]
    ) -> Estimate:
        """Return the energy at the instant of a sample, once the next refresh is known.

        The energy from that instant to the refresh is estimated twice, as a share of the refresh's energy and from the
        powers. The estimate is the mean of the two, and their difference contributes to the bounds. The power before
        and the power after are weighted by how short a time each must hold for.

        Args:
            first: The sample at the instant in question.
            last: The last sample before the refresh.
            sample: The first sample after the refresh.
            powers: The power at the first and at the last sample, in W. None where it could not be read.
        """
        refresh = (last.before_seconds + sample.after_seconds) / 2
        remaining = max(0.0, refresh - first.seconds)
        risen = sample.joules - first.joules
        period = max(self.phase.period_seconds or 0.0, remaining, 1e-6)
        passed = period - remaining
        linear = risen * remaining / period
        run_up = self._run_up(risen, remaining, passed, powers, sharp=self.phase.is_sharp(refresh))
        run_up = linear if run_up is None else run_up
        missed = _SETTLED_MISS_SIGMAS * self.power.miss_watts(remaining / period) * remaining * passed / period
        unsharp = risen / period * _ANCHOR_WIDTHS * (sample.after_seconds - last.before_seconds) / 2
        uneven = linear / period * self.phase.jitter_seconds
        half = sqrt(unsharp**2 + uneven**2 + (run_up - linear) ** 2 + missed**2)
        return sample.joules - run_up, half, half

    @staticmethod
    def _run_up(
        risen: float, remaining: float, passed: float, powers: tuple[float | None, float | None], *, sharp: bool
    ) -> float | None:
        before, after = powers
        if before is None or after is None:
            return None
        period = passed + remaining
        steady = abs(before - after) <= _SAME_POWER * before and abs(risen - before * period) < _SAME_ENERGY * risen
        if steady and not sharp:  # the power is more certain than the length of this period
            return min(risen, (before + after) / 2 * remaining)
        weight = remaining**2 / (passed**2 + remaining**2)
        by_powers = weight * (risen - before * passed) + (1 - weight) * after * remaining
        return (min(risen, max(0.0, by_powers)) + risen * remaining / period) / 2

    def _elapsed(self, sample: EnergySample) -> Elapsed | None:
        """Return the time since the last refresh, observed if the counter still shows its value, else predicted."""
        joules, before, after = sample
        now, phase = (before + after) / 2, self.phase
        if joules == self._anchor_joules and phase.period_seconds is not None:
            since = now - self._anchor_seconds
            if since < phase.period_seconds:
                return since, min(self._anchor_spread_seconds, since), 0
        return phase.elapsed(now)

    def _resolved(
        self, sample: EnergySample, elapsed: Elapsed, period: float, present: float
    ) -> tuple[float, float, int]:
        """Return the time since the refresh that the counter shows, near the time of a predicted refresh.

        The refresh may just have come, or may be about to come. Both possible numbers of refreshes since the last
        observed one are weighed by their predicted times and by the energy that they imply.

        Returns:
            The likely time in s, the other possible time in s, and the likely number of refreshes. Both times are equal
            if there is no doubt.
        """
        seconds, spread, counted = elapsed
        if seconds < spread:
            other, odds, refreshes = seconds + period, (spread - seconds) / (spread + seconds), counted - 1
        else:
            early = period - seconds
            other, odds, refreshes = 0.0, (spread - early) / (spread + early), counted + 1
        surprise = self._surprise_by_level if self.power.is_stepwise else self._surprise_by_mean
        unlikelier = surprise(sample, refreshes, period, present) - surprise(sample, counted, period, present)
        odds *= exp(min(_CERTAIN, max(-_CERTAIN, -unlikelier / 2)))
        likely, unlikely, counted = (other, seconds, refreshes) if odds > 1 else (seconds, other, counted)
        return likely, unlikely if _POSSIBLE < odds < 1 / _POSSIBLE else likely, counted

    def _surprise_by_mean(self, sample: EnergySample, refreshes: int, period: float, _: float) -> float:
        """Return the squared deviation of the energy of some refreshes from the mean power, in standard deviations."""
        watts = self.power.mean_watts
        spread_watts = max(self.power.spread_watts, _LEAST_SPREAD * watts)
        since = refreshes - self._base_refreshes
        deviation = spread_watts * period * max(1, since) + _RESOLUTION_JOULES
        if deviation > watts * period / 2:  # the power varies too much for counting refreshes by their energy
            return 0.0
        return ((sample.joules - self._base_joules - since * watts * period) / deviation) ** 2

    def _surprise_by_level(self, sample: EnergySample, refreshes: int, period: float, present: float) -> float:
        """Return the squared deviation from the present power, for a power that changes in steps.

        After a step since the last sample, neither number of refreshes fits, and both surprise equally.
        """
        since = refreshes - self._base_refreshes
        deviation = _SAME_LEVEL * present * period * max(1, since) + _RESOLUTION_JOULES
        return min(2 * _CERTAIN, ((sample.joules - self._base_joules - since * present * period) / deviation) ** 2)

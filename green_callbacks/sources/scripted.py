"""A source whose energy is known exactly, for tests, notebooks and machines without a sensor."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from math import nan
from typing import Any

from green_callbacks.clock import Clock
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import METHODS, Method, Reading
from green_callbacks.sources.common.device import SYSTEM_CLOCK, LiveSource, checked_at_least_zero
from green_callbacks.sources.common.option_checks import checked_name
from green_callbacks.units import described, finite_number

Energy = Callable[[float], float]
"""Joules used by a time, by seconds since the source was opened."""


class ConstantPower:
    """The energy of a constant power.

    Args:
        watts: Power in W.

    Raises:
        ConfigurationError: The power is negative or not finite.
    """

    def __init__(self, watts: float) -> None:
        self._watts = checked_at_least_zero(watts, "power_watts")

    def __call__(self, seconds: float) -> float:
        """Return the joules used by a time, exactly."""
        return self._watts * seconds


class PowerSteps:
    """The energy of a power that changes in steps.

    Args:
        steps: Pairs of seconds since the opening and the power in W from then on; the first begins at 0.

    Raises:
        ConfigurationError: The times do not begin at 0 and rise, or a power is negative or not finite.
    """

    def __init__(self, steps: Sequence[tuple[float, float]]) -> None:
        pairs = _pairs(steps, "The steps of a power")
        self._starts = [checked_at_least_zero(start, "The beginning of a step, in s,") for start, _ in pairs]
        self._watts = [checked_at_least_zero(watts, "The power of a step, in W,") for _, watts in pairs]
        if self._starts[:1] != [0.0] or any(later <= start for start, later in pairwise(self._starts)):
            msg = f"The steps of a power must begin at 0 s and follow one another in time, unlike {self._starts}."
            raise ConfigurationError(msg)
        self._joules = [0.0]
        for (start, end), watts in zip(pairwise(self._starts), self._watts, strict=False):
            self._joules.append(self._joules[-1] + watts * (end - start))

    def __call__(self, seconds: float) -> float:
        """Return the joules used by a time, exactly."""
        step = bisect_right(self._starts, seconds) - 1
        return self._joules[step] + self._watts[step] * (seconds - self._starts[step])


class ScriptedSource(LiveSource[float]):
    """Devices that use what a script says, and fail when it says so.

    ``ScriptedSource(300.0)`` is one GPU at 300 W; ``ScriptedSource({"gpu:0": 300.0, "gpu:1": PowerSteps([(0, 80),
    (60, 400)])})`` is two. A device behaves as if it were watched all the time: one that is lost keeps what it had at
    that moment, and when it comes back its counter has gone on, unless it was reset meanwhile. A reset shows as what
    it is, a counter that falls to zero.

    Args:
        power_watts: Power in W, or the energy in J as a function of seconds since the opening (:class:`PowerSteps`,
            or your own); or a mapping of these by device.
        name: Name of the device, where there is but one.
        component: What the devices are a part of.
        method: How the energy is said to have been obtained.
        tolerance: Relative error that the devices are said to have.
        lost_seconds: Pairs of seconds since the opening, from and to which no device answers.
        reset_seconds: Seconds since the opening at which every counter falls to zero.
        clock: The time.

    Raises:
        ConfigurationError: A power, tolerance or time that cannot be.
    """

    is_instant = True

    def __init__(
        self,
        power_watts: float | Energy | Mapping[str, float | Energy] = 300.0,
        *,
        name: str = "scripted:0",
        component: str = "gpu",
        method: Method = "counter",
        tolerance: float = 0.0,
        lost_seconds: Iterable[tuple[float, float]] = (),
        reset_seconds: Iterable[float] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        devices = power_watts if isinstance(power_watts, Mapping) else {name: power_watts}
        self._energies = {name: power if callable(power) else ConstantPower(power) for name, power in devices.items()}
        for given in self._energies:
            checked_name(given, "The name of a device")
        self._component = checked_name(component, "component")
        if method not in METHODS:
            msg = f"method must be one of {', '.join(METHODS)}, not {described(method)}."
            raise ConfigurationError(msg)
        self._method = method
        self._tolerance = checked_at_least_zero(tolerance, "tolerance")
        self._lost = sorted(
            (checked_at_least_zero(start, "lost_seconds"), checked_at_least_zero(end, "lost_seconds"))
            for start, end in _pairs(lost_seconds, "lost_seconds")
        )
        apart = all(end <= start for (_, end), (start, _) in pairwise(self._lost))
        if not apart or any(not 0 <= start < end for start, end in self._lost):
            msg = f"Losses must begin at 0 s or later, end after they begin, and not overlap, unlike {self._lost}."
            raise ConfigurationError(msg)
        # The counter of a device that did not answer at the opening is first seen when it does.
        unseen = [end for start, end in self._lost if start == 0]
        resets = _listed(reset_seconds, "reset_seconds")
        self._resets = sorted([*(checked_at_least_zero(at, "reset_seconds") for at in resets), *unseen])
        self._clock = clock

    def _begin(self) -> float:
        return self._clock.monotonic()

    def read(self) -> Mapping[str, Reading]:
        """Read every device.

        Returns:
            What the script says of this instant, by device; nothing while the source is closed.
        """
        opened_at = self._live
        if opened_at is None:
            return {}
        now = self._clock.monotonic() - opened_at
        lost_at = next((start for start, end in self._lost if start <= now < end), None)
        seen_until = now if lost_at is None else lost_at
        return {
            name: Reading(
                joules=None if lost_at == 0 else _used(energy, self._last_reset(seen_until), seen_until),
                component=self._component,
                method=self._method,
                tolerance=self._tolerance,
                gap_seconds=self._unseen_seconds(seen_until) + (now - seen_until),
                reason=None if lost_at is None else "lost, as scripted",
            )
            for name, energy in self._energies.items()
        }

    def _last_reset(self, until: float) -> float:
        return max((at for at in self._resets if at <= until), default=0.0)

    def _unseen_seconds(self, until: float) -> float:
        """Return the seconds that no counter will ever tell of: those of a loss, up to the last reset within it."""
        resets = (
            (start, [at for at in self._resets if start < at <= end]) for start, end in self._lost if end <= until
        )
        return sum(max(within) - start for start, within in resets if within)


def _listed(values: object, what: str) -> list[Any]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        msg = f"{what} must be a list, not {described(values)}."
        raise ConfigurationError(msg)
    return list(values)


def _pairs(values: object, what: str) -> list[tuple[Any, Any]]:
    pairs = _listed(values, what)
    if not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):  # noqa: PLR2004  a pair
        msg = f"{what} must be pairs of numbers, such as [(0, 80), (60, 400)]."
        raise ConfigurationError(msg)
    return pairs


def _used(energy: Energy, start: float, end: float) -> float:
    """Return the joules between two times, of any kind of number; NaN, which no meter believes, for anything else."""
    try:
        return finite_number(energy(end)) - finite_number(energy(start))
    except ValueError:
        return nan

"""A source whose energy is known exactly, for tests, notebooks and machines without a sensor."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from math import nan
from typing import Any

from green_callbacks.clock import Clock
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import METHODS, ActivityTotals, Method, Reading
from green_callbacks.sources.common.device import SYSTEM_CLOCK, LiveSource, checked_at_least_zero
from green_callbacks.sources.common.option_checks import checked_name
from green_callbacks.sources.declared.scripted_activity import Activity, ScriptedActivity, checked_scripts
from green_callbacks.units import described, finite_number

Energy = Callable[[float], float]
"""A function from seconds since the source opened to joules used so far."""


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
        """Return the exact energy up to a time, in J.

        Args:
            seconds: Time since the source opened, in s.
        """
        return self._watts * seconds


class PowerSteps:
    """The energy of a power that changes in steps.

    Args:
        steps: Pairs of the time since the source opened, in s, and the power from then on, in W. The first time is 0.

    Raises:
        ConfigurationError: The times do not begin at 0 and rise, or a power is negative or not finite.

    Example:
        >>> joules = PowerSteps([(0, 80), (60, 400)])
        >>> joules(61.0)  # 60 s at 80 W and 1 s at 400 W
        5200.0
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
        """Return the exact energy up to a time, in J.

        Args:
            seconds: Time since the source opened, in s.
        """
        step = bisect_right(self._starts, seconds) - 1
        return self._joules[step] + self._watts[step] * (seconds - self._starts[step])


class ScriptedSource(LiveSource[float]):
    """Devices whose power, losses and resets follow a script.

    A device behaves as if it were watched all the time. If it is lost, it keeps its energy at that moment. When it
    comes back, its counter has gone on, unless it was reset meanwhile. A reset shows as a counter that falls to zero.

    Args:
        power_watts: Power in W, or a function from seconds since the source opened to joules (:class:`PowerSteps`, or
            your own), or a mapping of these by device. Defaults to one GPU of 300 W.
        name: Name of the device, if there is only one. Defaults to ``"scripted:0"``.
        component: Component of the devices. Defaults to ``"gpu"``.
        method: Method of the readings. Defaults to ``"counter"``.
        tolerance: Relative tolerance of the readings. Defaults to 0.
        lost_seconds: Pairs of times since the source opened, in s, between which no device answers. Defaults to none.
        reset_seconds: Times since the source opened, in s, at which every counter falls to zero. Defaults to none.
        activity: What the devices do besides using energy. It is a ``DeviceActivity``, a function from seconds since
            the source opened to one, or a mapping of these by device. Its ``observed_seconds`` does not matter.
            Defaults to none, for devices that do not report it.
        clock: The clock. Defaults to the machine's.

    Raises:
        ConfigurationError: A power, tolerance, time or activity is impossible.

    Example:
        >>> from green_callbacks.clock import ScriptedClock
        >>> clock = ScriptedClock()
        >>> source = ScriptedSource({"gpu:0": 300.0, "gpu:1": PowerSteps([(0, 80), (60, 400)])}, clock=clock)
        >>> source.open()
        >>> clock.advance(60.0)
        >>> {name: reading.joules for name, reading in source.read().items()}
        {'gpu:0': 18000.0, 'gpu:1': 4800.0}
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
        activity: Activity | Mapping[str, Activity] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        devices = power_watts if isinstance(power_watts, Mapping) else {name: power_watts}
        self._energies = {name: power if callable(power) else ConstantPower(power) for name, power in devices.items()}
        for given in self._energies:
            checked_name(given, "The name of a device")
        self._component = checked_name(component, "component")
        self._method = _checked_method(method)
        self._tolerance = checked_at_least_zero(tolerance, "tolerance")
        self._lost = _checked_losses(lost_seconds)
        # The counter of a device that is lost when the source opens is first read when it comes back.
        first_read = [end for start, end in self._lost if start == 0]
        resets = [checked_at_least_zero(at, "reset_seconds") for at in _listed(reset_seconds, "reset_seconds")]
        self._resets = sorted([*resets, *first_read])
        self._activity = ScriptedActivity(checked_scripts(activity, self._energies))
        self._clock = clock

    def _begin(self) -> float:
        self._activity.begin()
        return self._clock.monotonic()

    def read(self) -> Mapping[str, Reading]:
        """Read every device.

        Returns:
            The scripted energy of every device now. Empty while the source is closed.
        """
        opened_at = self._live
        if opened_at is None:
            return {}
        now = self._clock.monotonic() - opened_at
        lost_at = self._lost_at(now)
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

    def activity(self) -> Mapping[str, ActivityTotals]:
        """Return what the devices did up to now, as scripted. A lost device was not observed."""
        opened_at = self._live
        if opened_at is None:
            return {}
        is_lost = (lambda at: self._lost_at(at) is not None) if self._lost else None
        return self._activity.until(self._clock.monotonic() - opened_at, opened_at, is_lost)

    def _lost_at(self, now: float) -> float | None:
        return next((start for start, end in self._lost if start <= now < end), None)

    def _last_reset(self, until: float) -> float:
        return max((at for at in self._resets if at <= until), default=0.0)

    def _unseen_seconds(self, until: float) -> float:
        """Return the time that no counter ever measures, in s. It is a loss up to the last reset within it."""
        resets = (
            (start, [at for at in self._resets if start < at <= end]) for start, end in self._lost if end <= until
        )
        return sum(max(within) - start for start, within in resets if within)


def _checked_method(method: Method) -> Method:
    if method not in METHODS:
        msg = f"method must be one of {', '.join(METHODS)}, not {described(method)}."
        raise ConfigurationError(msg)
    return method


def _checked_losses(lost_seconds: object) -> list[tuple[float, float]]:
    lost = sorted(
        (checked_at_least_zero(start, "lost_seconds"), checked_at_least_zero(end, "lost_seconds"))
        for start, end in _pairs(lost_seconds, "lost_seconds")
    )
    apart = all(end <= start for (_, end), (start, _) in pairwise(lost))
    if not apart or any(not 0 <= start < end for start, end in lost):
        msg = f"Losses must begin at 0 s or later, end after they begin, and not overlap, unlike {lost}."
        raise ConfigurationError(msg)
    return lost


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
    """Return the energy between two times, in J. It is NaN, which no meter accepts, if the script returns no number."""
    try:
        return finite_number(energy(end)) - finite_number(energy(start))
    except ValueError:
        return nan

"""What a device did during one record, besides using energy."""

from collections.abc import Iterable
from functools import partial
from typing import Final, NamedTuple, Self

MEANS: Final = (
    "utilization",
    "sm_mhz",
    "temperature_celsius",
    "throttled_share",
    "thermal_share",
    "power_cap_share",
    "hardware_share",
)
"""The fields of an activity that are means over the observed time, in order."""

_NOTHING: Final = (0.0,) * len(MEANS)
_STEPS: Final = (1e4, 1e1, 1e1, 1e4, 1e4, 1e4, 1e4)
"""Steps of a unit to which the means are rounded, in order. No sensor is more exact, and a ledger stays small."""
_MOST: Final = (1.0, 1e5, 1e3, 1.0, 1.0, 1.0, 1.0)
"""Largest means that are believed, in order (by convention). Shares end at 1, and clocks in MHz and temperatures in °C
far above the values of any chip.
"""
_MOST_WATTS: Final = 1e5
"""Largest power limit that is believed, in W, far above any GPU's (by convention)."""
_SECONDS_DIGITS: Final = 3
"""Decimal places of the observed time, in s. The driver is asked about once a second."""
_MEAN_DIGITS: Final = 6
"""Decimal places of means over several records, which hides the rounding of sums."""
_WATTS_DIGITS: Final = 3
"""Decimal places of a power limit, in W. Drivers tell it in mW."""


class DeviceActivity(NamedTuple):
    """What a GPU did during one record, as its driver reported it.

    All shares and means are over the observed time. An absent value was not reported. The GPU is observed as a whole,
    also where other processes compute on it or where a run counts only a slice of it. A slice has no utilization and no
    power limit of its own, so both are absent.

    Attributes:
        observed_seconds: Time in which the driver was asked, in s.
        utilization: Mean share of the time in which a kernel ran, 0 to 1. Defaults to None.
        sm_mhz: Mean clock of the streaming multiprocessors, in MHz. Defaults to None.
        temperature_celsius: Mean temperature of the chip, in °C. Defaults to None.
        throttled_share: Share of the time in which clocks were lowered for any of the reasons below, 0 to 1. Defaults
            to None.
        thermal_share: Share of the time in which clocks were lowered because the chip was hot, 0 to 1. Defaults to
            None.
        power_cap_share: Share of the time in which the power limit lowered the clocks, 0 to 1. A GPU under full load
            often runs at its limit, also where nobody has lowered the limit. Defaults to None.
        hardware_share: Share of the time in which a brake of the power supply lowered the clocks, 0 to 1. Defaults to
            None.
        limit_watts: Power limit in force at the end, in W. Defaults to None.

    Example:
        >>> activity = DeviceActivity(observed_seconds=60.0, utilization=0.4, throttled_share=0.0)
        >>> activity.utilization, activity.limit_watts is None
        (0.4, True)
    """

    observed_seconds: float
    utilization: float | None = None
    sm_mhz: float | None = None
    temperature_celsius: float | None = None
    throttled_share: float | None = None
    thermal_share: float | None = None
    power_cap_share: float | None = None
    hardware_share: float | None = None
    limit_watts: float | None = None

    @property
    def means(self) -> tuple[float | None, ...]:
        """The means, in the order of :data:`MEANS`."""
        return self[1 : 1 + len(MEANS)]


_activity = partial(tuple.__new__, DeviceActivity)


class ActivityTotals(NamedTuple):
    """What a device did since its source was opened, as sums that only grow.

    A source replaces the totals as a whole, so that every thread may read them at any time.

    Attributes:
        origin_seconds: Monotonic time of the beginning, in s. Totals of different beginnings cannot be compared.
        observed_seconds: Observed time since then, in s. Defaults to 0.
        sums: For each field of :data:`MEANS`, its sum over the observed time. Defaults to 0.
        times: For each of these fields, the time in which it was reported, in s. Defaults to 0.
        limit_watts: Power limit in force, in W. Defaults to None.

    Example:
        >>> first = ActivityTotals(origin_seconds=0.0)
        >>> last = first.plus(DeviceActivity(1.0, utilization=1.0)).plus(DeviceActivity(1.0, utilization=0.5))
        >>> last.since(first, most_seconds=60.0)
        DeviceActivity(observed_seconds=2.0, utilization=0.75, ...)
    """

    origin_seconds: float
    observed_seconds: float = 0.0
    sums: tuple[float, ...] = _NOTHING
    times: tuple[float, ...] = _NOTHING
    limit_watts: float | None = None

    def plus(self, seen: DeviceActivity) -> Self:
        """Return the totals after more time.

        Args:
            seen: What the device did in this time.
        """
        seconds, means = seen.observed_seconds, seen.means
        return self._replace(
            observed_seconds=self.observed_seconds + seconds,
            sums=tuple(
                [
                    whole if mean is None else whole + mean * seconds
                    for whole, mean in zip(self.sums, means, strict=True)
                ]
            ),
            times=tuple(
                [whole if mean is None else whole + seconds for whole, mean in zip(self.times, means, strict=True)]
            ),
            limit_watts=seen.limit_watts,
        )

    def since(self, first: "ActivityTotals | None", most_seconds: float) -> DeviceActivity | None:
        """Return what the device did since earlier totals.

        Args:
            first: The earlier totals. None if the device was not observed then.
            most_seconds: Length of the time between, in s. A sample stands for the time before it, which may begin
                earlier.

        Returns:
            The activity, without values that no device can have. None if nothing was observed, or if the source was
            opened again meanwhile.

        Raises:
            ArithmeticError: A sum is not finite.
            ValueError: A sum is no number.
        """
        if first is None or first.origin_seconds != self.origin_seconds:
            return None
        seconds = self.observed_seconds - first.observed_seconds
        if not seconds > 0:
            return None
        sums, times, before, earlier = self.sums, self.times, first.sums, first.times
        means: list[float | None] = []
        for at, steps in enumerate(_STEPS):  # without zip() and round(), because this runs at every edge
            time = times[at] - earlier[at]
            mean = int((sums[at] - before[at]) / time * steps + 0.5) / steps if time > 0 else -1.0
            means.append(mean if 0.0 <= mean <= _MOST[at] else None)
        observed_seconds = min(round(seconds, _SECONDS_DIGITS), most_seconds)
        limit_watts = self.limit_watts if self.limit_watts is None else round(self.limit_watts, _WATTS_DIGITS)
        if limit_watts is not None and not 0.0 <= limit_watts <= _MOST_WATTS:
            limit_watts = None
        return _activity((observed_seconds, *means, limit_watts))


def is_possible(activity: DeviceActivity) -> bool:
    """Return whether a device can have all values of an activity.

    Args:
        activity: The activity, with values that are numbers or None.
    """
    known = zip((*activity.means, activity.limit_watts), (*_MOST, _MOST_WATTS), strict=True)
    return all(value is None or 0.0 <= value <= most for value, most in known)


def mean_activity(parts: Iterable[DeviceActivity]) -> DeviceActivity | None:
    """Return the activity over several times, each mean weighted by the observed time that has it.

    Args:
        parts: The activities, in the order of time.

    Returns:
        The activity with the power limit of the last part. None if there is no part.

    Example:
        >>> mean_activity([DeviceActivity(3.0, utilization=1.0), DeviceActivity(1.0, utilization=0.0)]).utilization
        0.75
    """
    seen = list(parts)
    if not seen:
        return None
    whole = ActivityTotals(0.0)
    for each in seen:
        whole = whole.plus(each)
    sums = zip(whole.sums, whole.times, strict=True)
    means = [round(total / time, _MEAN_DIGITS) if time > 0 else None for total, time in sums]
    return DeviceActivity._make([round(whole.observed_seconds, _MEAN_DIGITS), *means, whole.limit_watts])

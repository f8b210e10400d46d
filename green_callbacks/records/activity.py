"""What a device did during one record, besides using energy."""

from typing import NamedTuple


class DeviceActivity(NamedTuple):
    """What a GPU did during one record, as its driver reported it.

    All shares and means are over the observed time. An absent value was not reported.

    Attributes:
        observed_seconds: Time in which the driver was asked, in s.
        utilization: Mean share of the time in which a kernel ran, 0 to 1. Defaults to None.
        sm_mhz: Mean clock of the streaming multiprocessors, in MHz. Defaults to None.
        temperature_celsius: Mean temperature of the chip, in °C. Defaults to None.
        throttled_share: Share of the time in which clocks were lowered for any of the reasons below, 0 to 1. Defaults
            to None.
        thermal_share: Share of the time in which clocks were lowered because the chip was hot, 0 to 1. Defaults to
            None.
        power_cap_share: Share of the time in which the power limit lowered the clocks, 0 to 1. Defaults to None.
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

"""What NVIDIA GPUs do besides using energy, sampled about once a second on a thread beside the training.

The driver also counts the time in which clocks were lowered. Such counters differ in their unit from GPU to GPU, and
many GPUs have none. The reasons of the moment are the same everywhere, so they are sampled.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from green_callbacks.clock import Clock
from green_callbacks.records import ActivityTotals, DeviceActivity
from green_callbacks.sources.nvidia.driver.activity_calls import ActivityDriver
from green_callbacks.sources.nvidia.driver.calls import DriverError
from green_callbacks.sources.nvidia.sensor import GpuSensor
from green_callbacks.sources.nvidia.usage.clock_reasons import ClockReasons

SAMPLE_SECONDS: Final = 1.0
"""Interval of samples, in s. The driver's utilization is a mean over the last second at most (``nvml.h``)."""
_MOST_SHARE: Final = 0.002
"""Largest share of the time that samples take, by convention. A slow driver is asked less often."""
_LONGEST_SECONDS: Final = 60.0
"""Longest interval of samples, in s, with a driver that is very slow (by convention)."""
_MOST_INTERVALS: Final = 2.0
"""Longest time that a sample stands for, in intervals (by convention). A longer time was not observed."""
_REFUSALS: Final = frozenset({2, 3, 4, 13})
"""Return codes for an invalid argument, not supported, no permission, and no such function (``nvml.h``)."""

_Question = Callable[[], float]


class WatchedGpu:
    """One GPU whose activity is sampled.

    Args:
        name: Name of the GPU.
        sensor: Its sensors, which know its present handle.
        driver: The driver, for calls of the activity alone.
        origin_seconds: Monotonic time of the beginning, in s.
        is_slice: Whether only a slice of MIG counts. The utilization and the limit of the whole GPU say little of it.
    """

    def __init__(
        self, name: str, sensor: GpuSensor, driver: ActivityDriver, origin_seconds: float, *, is_slice: bool
    ) -> None:
        self.name = name
        self.totals = ActivityTotals(origin_seconds)
        self._until_seconds = origin_seconds
        self._questions: dict[str, _Question] = {
            "sm_mhz": lambda: driver.sm_mhz(sensor.handle),
            "temperature_celsius": lambda: driver.celsius(sensor.handle),
            "reasons": lambda: driver.clock_reasons(sensor.handle),
        }
        if not is_slice:
            self._questions["utilization"] = lambda: driver.utilization(sensor.handle)
            self._questions["limit_watts"] = lambda: driver.limit_watts(sensor.handle)

    def sample(self, now_seconds: float, most_seconds: float) -> None:
        """Ask the driver, and let the answers stand for the time since the last sample.

        Args:
            now_seconds: Monotonic time, in s.
            most_seconds: Longest time that the sample stands for, in s.
        """
        seen = dict(self._answers())
        seconds = min(now_seconds - self._until_seconds, most_seconds)
        self._until_seconds = now_seconds
        bits = seen.pop("reasons", None)
        shares = {} if bits is None else _shares(ClockReasons.of(int(bits)))
        if (seen.keys() - {"limit_watts"} or shares) and seconds > 0:
            self.totals = self.totals.plus(DeviceActivity(seconds, **seen, **shares))

    def _answers(self) -> Iterator[tuple[str, float]]:
        for name, ask in list(self._questions.items()):
            try:
                yield name, ask()
            except DriverError as error:
                cause = error.__cause__
                if getattr(cause, "value", None) in _REFUSALS or isinstance(cause, AttributeError):
                    del self._questions[name]  # it will never answer


class ActivityWatch:
    """Samples the activity of GPUs, on a thread of the worker.

    A driver that hangs in one of these calls delays neither training nor the readings of the energy. Its lock is not
    the lock of the energy.

    Args:
        driver: The driver, for calls of the activity alone.
        clock: The clock.

    Attributes:
        lock: Held while the driver is asked.
        totals: What each GPU did so far, by name. It is replaced as a whole.
    """

    def __init__(self, driver: ActivityDriver, clock: Clock) -> None:
        self.lock = threading.Lock()
        self.totals: Mapping[str, ActivityTotals] = {}
        self._driver = driver
        self._clock = clock
        self._gpus: list[WatchedGpu] = []
        self.interval_seconds = SAMPLE_SECONDS

    def add(self, name: str, sensor: GpuSensor, *, is_slice: bool) -> None:
        """Watch a GPU from now on.

        Args:
            name: Its name.
            sensor: Its sensors.
            is_slice: Whether only a slice of MIG counts.
        """
        self._gpus.append(WatchedGpu(name, sensor, self._driver, self._clock.monotonic(), is_slice=is_slice))
        self._publish()

    def sample(self, is_closing: Callable[[], bool]) -> None:
        """Ask the driver about all GPUs.

        Args:
            is_closing: Returns whether the driver must not be asked any more.
        """
        began_seconds = self._clock.monotonic()
        for gpu in self._gpus:
            with self.lock:
                if is_closing():
                    return
                gpu.sample(self._clock.monotonic(), _MOST_INTERVALS * self.interval_seconds)
        self._publish()
        took_seconds = self._clock.monotonic() - began_seconds
        self.interval_seconds = min(max(SAMPLE_SECONDS, took_seconds / _MOST_SHARE), _LONGEST_SECONDS)

    def _publish(self) -> None:
        self.totals = {gpu.name: gpu.totals for gpu in self._gpus}


def _shares(reasons: ClockReasons) -> dict[str, float]:
    return {
        "throttled_share": float(any(reasons)),
        "thermal_share": float(reasons.thermal),
        "power_cap_share": float(reasons.power_cap),
        "hardware_share": float(reasons.hardware),
    }

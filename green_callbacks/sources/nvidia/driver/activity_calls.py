"""The calls of NVIDIA's driver that tell what a GPU does. A value that no GPU can have counts as no answer."""

from typing import Final

from green_callbacks.sources.nvidia.driver.calls import Driver, DriverError, NvmlHandle

_SM_CLOCK: Final = 1
"""Kind of the clock of the multiprocessors (``NVML_CLOCK_SM`` in ``nvml.h``)."""
_CHIP: Final = 0
"""Sensor of the temperature of the chip (``NVML_TEMPERATURE_GPU`` in ``nvml.h``)."""
_MOST_PERCENT: Final = 100
"""Largest utilization, in percent."""
_MOST_MHZ: Final = 10_000
"""Highest clock that is believed, in MHz. GPUs of 2025 reach about 3,000. By convention."""
_MOST_CELSIUS: Final = 200
"""Highest temperature that is believed, in °C. Chips switch off at about 100. By convention."""
_MOST_BITS: Final = 2**63
"""Bound of the reasons for low clocks. A larger number is a 64-bit -1."""
_NO_BITS: Final = 2**32 - 1
"""All bits of a 32-bit -1, which is no set of reasons. The driver uses nine bits, and one for an unknown reason."""
_REASONS: Final = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
"""The function that tells why clocks are low, and its name before driver 535 (``nvml.h``)."""


class ActivityDriver(Driver):
    """The calls that tell what a GPU does. They are timed apart, so that a slow one says nothing of the energy."""

    def __init__(self, driver: Driver) -> None:
        super().__init__(driver.nvml, driver.clock)
        self.patience = 1
        self._reasons: tuple[str, ...] = _REASONS

    def utilization(self, handle: NvmlHandle) -> float:
        """Return the share of the last second or less in which a kernel ran, 0 to 1."""
        percent = int(self.call("nvmlDeviceGetUtilizationRates", handle).gpu)
        return _within(percent, 0, _MOST_PERCENT, "utilization", "%") / _MOST_PERCENT

    def sm_mhz(self, handle: NvmlHandle) -> float:
        """Return the clock of the multiprocessors, in MHz."""
        return _within(int(self.call("nvmlDeviceGetClockInfo", handle, _SM_CLOCK)), 1, _MOST_MHZ, "clock", " MHz")

    def celsius(self, handle: NvmlHandle) -> float:
        """Return the temperature of the chip, in °C."""
        celsius = int(self.call("nvmlDeviceGetTemperature", handle, _CHIP))
        return _within(celsius, 1, _MOST_CELSIUS, "temperature", " °C")

    def clock_reasons(self, handle: NvmlHandle) -> int:
        """Return the reasons for low clocks, as bits."""
        refusal = None
        for name in self._reasons:
            try:
                bits = int(self.call(name, handle))
            except DriverError as error:
                refusal = error
                continue
            self._reasons = (name,)
            return int(_within(-1 if bits == _NO_BITS else bits, 0, _MOST_BITS, "set of reasons", ""))
        raise refusal or DriverError("no function tells the reasons for low clocks")


def _within(value: float, least: float, most: float, what: str, unit: str) -> float:
    if not least <= value <= most:
        msg = f"a {what} of {value}{unit} is impossible"
        raise DriverError(msg)
    return value

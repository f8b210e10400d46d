"""The sensors of one GPU, found by asking for each."""

import re
from typing import Final

from green_callbacks.records import DeviceInfo
from green_callbacks.sources.nvidia.driver.answers import Field, PowerSample, ProcessSample, RunningProcess
from green_callbacks.sources.nvidia.driver.calls import Driver, DriverError, DriverGoneError, NvmlHandle

_POWER_AVERAGE: Final = 185
"""Id of the field for the power averaged over 1 s (``NVML_FI_DEV_POWER_AVERAGE`` in ``nvml.h``)."""
_POWER_INSTANT: Final = 186
"""Id of the field for the instantaneous power (``NVML_FI_DEV_POWER_INSTANT`` in ``nvml.h``)."""
_SCOPE_GPU: Final = 0
"""Scope of a power that covers the GPU (``nvml.h``)."""
_SCOPE_MODULE: Final = 1
"""Scope of a power that covers the whole module, with its CPU (``nvml.h``)."""
_VOLTA: Final = 5
"""Number of the architecture Volta (``nvml.h``)."""
_AMPERE: Final = 7
"""Number of the architecture Ampere (``nvml.h``)."""
SENSOR_TOLERANCE: Final = 0.05
"""Relative tolerance of NVIDIA's power sensor. Its gain differs from board to board (arXiv 2312.02741)."""
_GA100 = re.compile(r"\bA(100|800|30)\b")
_SUPERCHIP = re.compile(r"\bGH\d{3}")


class GpuSensor:
    """The sensors of one GPU. Every method that reads raises ``DriverError`` if the driver refuses.

    Args:
        driver: The driver.
        uuid: UUID of the GPU.
        name: Product name.
        handle: The driver's handle.
    """

    def __init__(self, driver: Driver, uuid: str, name: str, handle: NvmlHandle) -> None:
        self.uuid = uuid
        self.name = name
        self._driver = driver
        self._handle = handle
        self._instant: Field | None = None
        self._average: Field | None = None
        self._architecture: int | None = None
        self.probe()

    def probe(self) -> None:
        """Find the powers that the GPU reports. These are both field values, one of them, or only the plain power."""
        self._instant, self._average = self._fields()
        self.averages = self._average is not None or self._is_averaging_chip()
        """Whether the GPU reports its power averaged over a second."""
        if not self.averages and self._reports_plain_power():
            self._instant = None  # the plain power is instantaneous, too, and half as expensive

    @property
    def reports_instant(self) -> bool:
        """Whether :meth:`present_watts` returns the instantaneous power, not the average of the last second."""
        return self._instant is not None or not self.averages

    @property
    def refreshes_fast(self) -> bool:
        """Whether the power refreshes 50 times a second, as on Volta and older chips (arXiv 2312.02741)."""
        return self._architecture is not None and self._architecture <= _VOLTA

    @property
    def handle(self) -> NvmlHandle:
        """The driver's present handle of the GPU."""
        return self._handle

    @property
    def is_slow(self) -> bool:
        """Whether the driver is so slow that all calls are left out that can be spared."""
        return self._driver.is_slow

    @property
    def call_seconds(self) -> float:
        """Mean duration of the driver's last few calls, in s."""
        return self._driver.call_seconds

    @property
    def is_superchip(self) -> bool:
        """Whether counter and power cover a whole module with CPU and memory, as on Grace Hopper."""
        return bool(_SUPERCHIP.search(self.name))

    def energy_joules(self) -> float:
        """Return the energy counter, in J since the driver was loaded."""
        return self._driver.energy_joules(self._handle)

    def present_watts(self) -> float:
        """Return the instantaneous power in W, or the closest power that the GPU reports."""
        if self._instant is None:
            return self._driver.power_watts(self._handle)
        return self._driver.field_watts(self._handle, self._instant)

    def average_watts(self) -> float:
        """Return the power averaged over the last second, in W, if :attr:`averages`."""
        if self._average is None:
            return self._driver.power_watts(self._handle)
        return self._driver.field_watts(self._handle, self._average)

    def both_watts(self) -> tuple[float, float | None]:
        """Return the average power of the last second and the instantaneous power, in W, by one call if possible.

        Returns:
            None in the place of the instantaneous power if the GPU does not report it now.
        """
        if self._average is None or self._instant is None:
            average_watts = self.average_watts()
            try:
                return average_watts, None if self._instant is None else self.present_watts()
            except DriverError:
                return average_watts, None
        average, instant = self._driver.fields_watts(self._handle, (self._average, self._instant))
        return self.average_watts() if average is None else average, instant

    def power_samples(self, after_stamp: int) -> list[PowerSample]:
        """Return the driver's own power samples, oldest first.

        Args:
            after_stamp: Only samples later than this time stamp, in µs, are returned.
        """
        return self._driver.power_samples(self._handle, after_stamp)

    def process_samples(self, after_stamp: int) -> list[ProcessSample]:
        """Return the SM utilization by process.

        Args:
            after_stamp: Only samples later than this time stamp, in µs, are returned.
        """
        return self._driver.process_samples(self._handle, after_stamp)

    def limit_watts(self) -> float | None:
        """Return the power limit in W, or None if the driver does not report it."""
        try:
            return self._driver.limit_watts(self._handle)
        except DriverError:
            return None

    def processes(self) -> list[RunningProcess]:
        """Return the processes that compute on the GPU. This is slow on some drivers."""
        return self._driver.processes(self._handle)

    def describe(self) -> DeviceInfo:
        """Return UUID, product name and default power limit."""
        try:
            limit_watts = None if self.is_slow else self._driver.default_limit_watts(self._handle)
        except DriverError:
            limit_watts = None
        return DeviceInfo(self.uuid, self.name or None, limit_watts)

    def renew(self) -> None:
        """Find the GPU again, after it was lost or somebody else has shut the library down."""
        try:
            self._handle = self._driver.handle_by_uuid(self.uuid)
        except DriverGoneError:
            self._driver.initialize()
            self._handle = self._driver.handle_by_uuid(self.uuid)

    def _reports_plain_power(self) -> bool:
        try:
            self._driver.power_watts(self._handle)
        except DriverError:
            return False
        return True

    def _is_averaging_chip(self) -> bool:
        """Return whether the plain power is an average, as on Ampere except GA100, and newer (``nvml.h``)."""
        try:
            self._architecture = self._driver.architecture(self._handle)
        except DriverError:
            return False
        return self._architecture >= _AMPERE and not _GA100.search(self.name)

    def _fields(self) -> tuple[Field | None, Field | None]:
        """Return the fields for instantaneous and average power, each with the scope that answers."""
        scopes = (_SCOPE_MODULE, _SCOPE_GPU) if self.is_superchip else (_SCOPE_GPU, _SCOPE_MODULE)
        fields = [(field, scope) for field in (_POWER_INSTANT, _POWER_AVERAGE) for scope in scopes]
        try:
            answers_by_field = self._driver.fields_watts(self._handle, fields)
        except DriverError:
            return None, None
        answers = [field for field, watts in zip(fields, answers_by_field, strict=True) if watts is not None]
        instant, average = ([one for one in answers if one[0] == field] for field in (_POWER_INSTANT, _POWER_AVERAGE))
        return instant[0] if instant else None, average[0] if average else None

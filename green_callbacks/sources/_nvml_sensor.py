"""What one GPU can be asked for, found out by asking."""

import re

from green_callbacks.sources._nvml_driver import (
    Driver,
    DriverError,
    DriverGoneError,
    Handle,
    PowerSample,
    ProcessSample,
)
from green_callbacks.units import MILLIJOULES_PER_JOULE, MILLIWATTS_PER_WATT

_POWER_AVERAGE, _POWER_INSTANT = 185, 186
_SCOPE_GPU, _SCOPE_MODULE = 0, 1
_AMPERE = 7
_GA100 = re.compile(r"\bA(100|800|30)\b")
_SUPERCHIP = re.compile(r"\bGH\d{3}")


class GpuSensor:
    """The sensors of one GPU. Every method that reads raises ``DriverError`` when the driver refuses.

    Args:
        driver: The driver.
        uuid: UUID of the GPU.
        name: Product name.
        handle: What the driver calls it.
    """

    def __init__(self, driver: Driver, uuid: str, name: str, handle: Handle) -> None:
        self.uuid = uuid
        self.name = name
        self._driver = driver
        self._handle = handle
        self._instant_scope: int | None = None
        self._average_scope: int | None = None
        self.probe()

    def probe(self) -> None:
        """Find out which powers the GPU reports: both field values, one, or only what older chips have."""
        self._instant_scope = self._scope_of(_POWER_INSTANT)
        self._average_scope = self._scope_of(_POWER_AVERAGE)
        self.averages = self._average_scope is not None or self._is_averaging_chip()
        """Whether the GPU reports its power averaged over a second."""
        if not self.averages and self._tells_plain_power():
            self._instant_scope = None  # the plain power is that of the instant, and costs half as much to ask for

    @property
    def is_superchip(self) -> bool:
        """Whether counter and power are those of the whole module, with its CPU and memory (Grace Hopper)."""
        return bool(_SUPERCHIP.search(self.name))

    def energy_joules(self) -> float:
        """Return the energy counter: J since the driver was loaded."""
        return float(self._driver.call("nvmlDeviceGetTotalEnergyConsumption", self._handle)) / MILLIJOULES_PER_JOULE

    def present_watts(self) -> float:
        """Return the power of this instant in W, or the nearest to it that the GPU reports."""
        if self._instant_scope is None:
            return self._plain_watts()
        return self._driver.field_watts(self._handle, _POWER_INSTANT, self._instant_scope)

    def average_watts(self) -> float:
        """Return the power of the last second in W, where :attr:`averages`."""
        if self._average_scope is None:
            return self._plain_watts()
        return self._driver.field_watts(self._handle, _POWER_AVERAGE, self._average_scope)

    def power_samples(self, after_stamp: int) -> list[PowerSample]:
        """Return the driver's own samples later than a time stamp, oldest first."""
        return self._driver.power_samples(self._handle, after_stamp)

    def process_samples(self, after_stamp: int) -> list[ProcessSample]:
        """Return how busy each process kept the GPU since a time stamp."""
        return self._driver.process_samples(self._handle, after_stamp)

    def limit_watts(self) -> float | None:
        """Return the power limit in W; None if it is not told."""
        try:
            return self._driver.limit_watts(self._handle) or None
        except DriverError:
            return None

    def renew(self) -> None:
        """Look the GPU up again, after it was lost or the library was shut down by somebody else."""
        try:
            self._handle = self._driver.handle_by_uuid(self.uuid)
        except DriverGoneError:
            self._driver.initialise()
            self._handle = self._driver.handle_by_uuid(self.uuid)

    def _plain_watts(self) -> float:
        """Return the power in W: of the last second on Ampere (but for GA100) and newer, of this instant before."""
        return float(self._driver.call("nvmlDeviceGetPowerUsage", self._handle)) / MILLIWATTS_PER_WATT

    def _tells_plain_power(self) -> bool:
        try:
            self._plain_watts()
        except DriverError:
            return False
        return True

    def _is_averaging_chip(self) -> bool:
        """Return whether the plain power is an average: on Ampere, but for GA100, and newer (NVIDIA, ``nvml.h``)."""
        try:
            return self._driver.architecture(self._handle) >= _AMPERE and not _GA100.search(self.name)
        except DriverError:
            return False

    def _scope_of(self, field: int) -> int | None:
        scopes = (_SCOPE_MODULE, _SCOPE_GPU) if self.is_superchip else (_SCOPE_GPU, _SCOPE_MODULE)
        for scope in scopes:
            try:
                self._driver.field_watts(self._handle, field, scope)
            except DriverError:
                continue
            return scope
        return None

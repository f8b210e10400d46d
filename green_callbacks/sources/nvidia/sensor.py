"""What one GPU can be asked for, found out by asking."""

import re

from green_callbacks.records import DeviceInfo
from green_callbacks.sources.nvidia.driver.answers import Field, PowerSample, ProcessSample, RunningProcess
from green_callbacks.sources.nvidia.driver.calls import Driver, DriverError, DriverGoneError, Handle

_POWER_AVERAGE, _POWER_INSTANT = 185, 186
_SCOPE_GPU, _SCOPE_MODULE = 0, 1
_VOLTA, _AMPERE = 5, 7
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
        self._instant: Field | None = None
        self._average: Field | None = None
        self._architecture: int | None = None
        self.probe()

    def probe(self) -> None:
        """Find out which powers the GPU reports: both field values, one, or only what older chips have."""
        self._instant, self._average = self._fields()
        self.averages = self._average is not None or self._is_averaging_chip()
        """Whether the GPU reports its power averaged over a second."""
        if not self.averages and self._tells_plain_power():
            self._instant = None  # the plain power is that of the instant, and costs half as much to ask for

    @property
    def tells_instant(self) -> bool:
        """Whether :meth:`present_watts` is the power of the instant, not that of the last second."""
        return self._instant is not None or not self.averages

    @property
    def refreshes_fast(self) -> bool:
        """Whether the power is known to refresh 50 times a second: on Volta and older (arXiv 2312.02741)."""
        return self._architecture is not None and self._architecture <= _VOLTA

    @property
    def is_slow(self) -> bool:
        """Whether the driver takes so long for a call that it is asked for nothing that can be spared."""
        return self._driver.is_slow

    @property
    def call_seconds(self) -> float:
        """Mean duration of the driver's last few calls, in s."""
        return self._driver.call_seconds

    @property
    def is_superchip(self) -> bool:
        """Whether counter and power are those of the whole module, with its CPU and memory (Grace Hopper)."""
        return bool(_SUPERCHIP.search(self.name))

    def energy_joules(self) -> float:
        """Return the energy counter: J since the driver was loaded."""
        return self._driver.energy_joules(self._handle)

    def present_watts(self) -> float:
        """Return the power of this instant in W, or the nearest to it that the GPU reports."""
        if self._instant is None:
            return self._driver.power_watts(self._handle)
        return self._driver.field_watts(self._handle, self._instant)

    def average_watts(self) -> float:
        """Return the power of the last second in W, where :attr:`averages`."""
        if self._average is None:
            return self._driver.power_watts(self._handle)
        return self._driver.field_watts(self._handle, self._average)

    def both_watts(self) -> tuple[float, float | None]:
        """Return the power of the last second and that of this instant in W, by one call where that can be.

        Returns:
            None for the power of the instant where the GPU does not tell it now.
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
        """Return the driver's own samples later than a time stamp, oldest first."""
        return self._driver.power_samples(self._handle, after_stamp)

    def process_samples(self, after_stamp: int) -> list[ProcessSample]:
        """Return how busy each process kept the GPU since a time stamp."""
        return self._driver.process_samples(self._handle, after_stamp)

    def limit_watts(self) -> float | None:
        """Return the power limit in W; None if it is not told."""
        try:
            return self._driver.limit_watts(self._handle)
        except DriverError:
            return None

    def processes(self) -> list[RunningProcess]:
        """Return the processes that compute on the GPU: slow on some drivers."""
        return self._driver.processes(self._handle)

    def describe(self) -> DeviceInfo:
        """Return what is known of the GPU besides its energy."""
        try:
            limit_watts = None if self.is_slow else self._driver.default_limit_watts(self._handle)
        except DriverError:
            limit_watts = None
        return DeviceInfo(self.uuid, self.name or None, limit_watts)

    def renew(self) -> None:
        """Look the GPU up again, after it was lost or the library was shut down by somebody else."""
        try:
            self._handle = self._driver.handle_by_uuid(self.uuid)
        except DriverGoneError:
            self._driver.initialise()
            self._handle = self._driver.handle_by_uuid(self.uuid)

    def _tells_plain_power(self) -> bool:
        try:
            self._driver.power_watts(self._handle)
        except DriverError:
            return False
        return True

    def _is_averaging_chip(self) -> bool:
        """Return whether the plain power is an average: on Ampere, but for GA100, and newer (NVIDIA, ``nvml.h``)."""
        try:
            self._architecture = self._driver.architecture(self._handle)
        except DriverError:
            return False
        return self._architecture >= _AMPERE and not _GA100.search(self.name)

    def _fields(self) -> tuple[Field | None, Field | None]:
        """Return the fields of the instant and of the average, each with the scope that answers."""
        scopes = (_SCOPE_MODULE, _SCOPE_GPU) if self.is_superchip else (_SCOPE_GPU, _SCOPE_MODULE)
        fields = [(field, scope) for field in (_POWER_INSTANT, _POWER_AVERAGE) for scope in scopes]
        try:
            told = self._driver.fields_watts(self._handle, fields)
        except DriverError:
            return None, None
        answers = [field for field, watts in zip(fields, told, strict=True) if watts is not None]
        instant, average = ([one for one in answers if one[0] == field] for field in (_POWER_INSTANT, _POWER_AVERAGE))
        return instant[0] if instant else None, average[0] if average else None

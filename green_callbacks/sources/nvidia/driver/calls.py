"""The calls of NVIDIA's driver, in SI units and with one kind of failure."""

from collections.abc import Sequence
from time import monotonic
from types import ModuleType
from typing import Any, Final

from green_callbacks.clock import Clock, SystemClock
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.sources.nvidia.driver.answers import (
    Field,
    PowerSample,
    ProcessSample,
    RunningProcess,
    as_text,
    instance,
    watts_or_none,
)
from green_callbacks.sources.nvidia.driver.binding import foreign, loaded
from green_callbacks.sources.nvidia.driver.remedy import remedy
from green_callbacks.units import MILLIJOULES_PER_JOULE

NvmlHandle = Any
"""The driver's opaque pointer to a device."""

_PASSING = frozenset({10, 15, 27, 999})
"""Return codes for timeout, GPU lost, not ready, and unknown (``nvml.h``). Another call may succeed."""
_PATIENCE_AT_OPEN: Final = 6
"""Number of attempts of a call while the source opens (by convention)."""
_PATIENCE: Final = 2
"""Number of attempts of a call later, when training may wait for it (by convention)."""
_UNINITIALIZED: Final = 1
"""Return code for a library that is not initialized (``nvml.h``)."""
_NOT_SUPPORTED: Final = 3
"""Return code for a call that the GPU does not support (``nvml.h``)."""
_NOTHING_NEW = frozenset({0, 6})
"""Return codes for no new samples (``nvml.h``). They mean not found, and success with an empty buffer."""

_NO_COUNT: Final = 2**64 - 1
"""Value of a 64-bit counter that holds -1."""
_MOST_DEVICES: Final = 1024
"""Largest number of GPUs, or of MIG devices of one GPU, that is believed (by convention)."""
_SLOW_SECONDS: Final = 0.05
"""Duration in s from which a call is slow (by convention). A healthy driver answers within 1 ms."""
_CLIPPED_SECONDS: Final = 0.2
"""Largest duration of a call in the mean, in s. So ten fast calls make up for one stall of any length."""
_FRESH_SHARE: Final = 0.3
"""Weight of the last call in the mean duration of calls (by experiment)."""


class DriverError(Exception):
    """The driver refused a call, or gave an impossible answer. The text is the driver's or ours."""


class DriverGoneError(DriverError):
    """Somebody else has shut the library down. It must be initialized again."""


class Driver:
    """NVML, through the module ``pynvml`` of NVIDIA's distribution ``nvidia-ml-py``.

    Every method but :meth:`close` raises :class:`DriverError` if the driver refuses.

    Args:
        nvml: The module, initialized.
        clock: The clock that times the calls. Defaults to the machine's.
    """

    def __init__(self, nvml: ModuleType, clock: Clock | None = None) -> None:
        self.patience = _PATIENCE_AT_OPEN
        """Number of attempts of a call whose failure may pass."""
        self.call_seconds = 0.0
        """Mean duration of the last few calls, in s. A call counts as 0.2 s at most."""
        self.nvml = nvml
        """The module."""
        self.clock = clock
        """The clock that times the calls. None for the machine's."""
        # The machine's own function is faster, and every call is timed.
        self._monotonic = monotonic if clock is None or type(clock) is SystemClock else clock.monotonic
        # A foreign pynvml lacks names, a library may not load, and a text may not be UTF-8.
        self._failures = (getattr(nvml, "NVMLError", OSError), AttributeError, OSError, ValueError)

    def hurry(self) -> None:
        """Try a call twice at most from now on, because training waits for some of them."""
        self.patience = _PATIENCE

    @property
    def is_slow(self) -> bool:
        """Whether calls take more than 50 ms. Then all calls are left out that can be spared."""
        return self.call_seconds > _SLOW_SECONDS

    @classmethod
    def open(cls, clock: Clock | None = None) -> "Driver":
        """Load and initialize the library.

        Args:
            clock: The clock that times the calls. Defaults to the machine's.

        Raises:
            SourceUnavailableError: There is no driver, or it does not answer.
        """
        nvml = loaded()
        driver = cls(nvml, clock)
        try:
            driver.initialize()
        except DriverError as error:
            code = getattr(error.__cause__, "value", None)
            advice = (foreign(nvml) if code is None else None) or remedy(code)
            msg = f"No NVIDIA GPU can be measured. The driver's library says '{error}'. {advice}"
            raise SourceUnavailableError(msg) from error
        return driver

    def initialize(self) -> None:
        """Initialize the library, which counts the calls."""
        self.call("nvmlInit")

    def close(self) -> None:
        """Undo one initialization. A driver that refuses has been shut down already."""
        try:
            self.call("nvmlShutdown")
        except DriverError:
            return

    def device_count(self) -> int:
        """Return the number of GPUs that the driver sees."""
        return min(int(self.call("nvmlDeviceGetCount")), _MOST_DEVICES)

    def handle_by_index(self, index: int) -> NvmlHandle:
        """Return a GPU by its position on the PCI bus."""
        return self.call("nvmlDeviceGetHandleByIndex", index)

    def handle_by_uuid(self, uuid: str) -> NvmlHandle:
        """Return a GPU or a MIG device by its full UUID."""
        return self.call("nvmlDeviceGetHandleByUUID", uuid)

    def uuid(self, handle: NvmlHandle) -> str:
        """Return the UUID of a GPU or a MIG device."""
        return as_text(self.call("nvmlDeviceGetUUID", handle))

    def name(self, handle: NvmlHandle) -> str:
        """Return the product name."""
        return as_text(self.call("nvmlDeviceGetName", handle))

    def architecture(self, handle: NvmlHandle) -> int:
        """Return the number of the architecture. 5 is Volta, 7 Ampere, 9 Hopper."""
        return int(self.call("nvmlDeviceGetArchitecture", handle))

    def mig_handles(self, handle: NvmlHandle) -> list[NvmlHandle]:
        """Return the MIG devices of a GPU. The list is empty if MIG is off."""
        try:
            most = min(int(self.call("nvmlDeviceGetMaxMigDeviceCount", handle)), _MOST_DEVICES)
        except DriverError:
            return []
        found = []
        for index in range(most):
            try:
                found.append(self.call("nvmlDeviceGetMigDeviceHandleByIndex", handle, index))
            except DriverError:
                continue
        return found

    def mig_slices(self, handle: NvmlHandle) -> int:
        """Return the number of GPU slices of a MIG device."""
        return int(self.call("nvmlDeviceGetAttributes_v2", handle).gpuInstanceSliceCount)

    def mig_instance(self, handle: NvmlHandle) -> tuple[int, int]:
        """Return the ids of the GPU instance and of the compute instance of a MIG device."""
        gpu_instance = int(self.call("nvmlDeviceGetGpuInstanceId", handle))
        return gpu_instance, int(self.call("nvmlDeviceGetComputeInstanceId", handle))

    def most_slices(self, handle: NvmlHandle) -> int:
        """Return the number of slices into which MIG can cut a GPU."""
        return int(self.call("nvmlDeviceGetMaxMigDeviceCount", handle))

    def processes(self, handle: NvmlHandle) -> list[RunningProcess]:
        """Return the processes that compute on a GPU. This takes milliseconds on some drivers."""
        found = self.call("nvmlDeviceGetComputeRunningProcesses", handle)
        return [RunningProcess(int(one.pid), instance(getattr(one, "gpuInstanceId", None))) for one in found]

    def process_ids(self, handle: NvmlHandle) -> list[int]:
        """Return the ids of the processes that compute on a GPU. This is as slow as :meth:`processes`."""
        return [process.pid for process in self.processes(handle)]

    def limit_watts(self, handle: NvmlHandle) -> float:
        """Return the enforced power limit, in W."""
        return _watts(self.call("nvmlDeviceGetEnforcedPowerLimit", handle))

    def default_limit_watts(self, handle: NvmlHandle) -> float:
        """Return the default power limit, in W."""
        return _watts(self.call("nvmlDeviceGetPowerManagementDefaultLimit", handle))

    def energy_joules(self, handle: NvmlHandle) -> float:
        """Return the energy counter, in J."""
        millijoules = self.call("nvmlDeviceGetTotalEnergyConsumption", handle)
        if not 0 <= millijoules < _NO_COUNT:
            raise DriverError(f"an energy of {millijoules} mJ is impossible")  # noqa: EM102, TRY003
        return float(millijoules) / MILLIJOULES_PER_JOULE

    def power_watts(self, handle: NvmlHandle) -> float:
        """Return the plain power, in W."""
        return _watts(self.call("nvmlDeviceGetPowerUsage", handle))

    def field_watts(self, handle: NvmlHandle, field: Field) -> float:
        """Return the power of a field value, in W.

        Args:
            handle: The GPU.
            field: The field and its scope.
        """
        [value] = self.fields_watts(handle, (field,))
        if value is None:
            raise DriverError(f"field {field[0]} is not reported")  # noqa: EM102, TRY003  one line is enough
        return value

    def fields_watts(self, handle: NvmlHandle, fields: Sequence[Field]) -> list[float | None]:
        """Return the powers of several field values by one call, in W. None stands for a field without an answer.

        Args:
            handle: The GPU.
            fields: The fields, each ``NVML_FI_DEV_POWER_AVERAGE`` or ``NVML_FI_DEV_POWER_INSTANT``, with the scope
                ``NVML_POWER_SCOPE_GPU`` or ``NVML_POWER_SCOPE_MODULE``.
        """
        watts: list[float | None] = [None] * len(fields)
        for _ in range(self.patience):
            values = self.call("nvmlDeviceGetFieldValues", handle, fields)
            codes = [int(value.nvmlReturn) for value in values]
            watts = [
                known if code else watts_or_none(value.value.uiVal)
                for known, code, value in zip(watts, codes, values, strict=True)
            ]
            if not any(code in _PASSING for code, known in zip(codes, watts, strict=True) if known is None):
                break
        if any(codes) and watts.count(None) == len(watts):
            msg = f"field {fields[0][0]}: {self.nvml.NVMLError(next(filter(None, codes)))}"
            raise DriverError(msg)
        return watts

    def power_samples(self, handle: NvmlHandle, after_stamp: int) -> list[PowerSample]:
        """Return the driver's own power samples, oldest first, without impossible values. Empty if nothing is new.

        Args:
            handle: The GPU.
            after_stamp: Only samples later than this time stamp, in µs, are returned.
        """
        try:
            _, samples = self.call("nvmlDeviceGetSamples", handle, self.nvml.NVML_TOTAL_POWER_SAMPLES, after_stamp)
        except DriverError as error:
            if getattr(error.__cause__, "value", None) in _NOTHING_NEW:
                return []
            raise
        pairs = ((int(one.timeStamp), watts_or_none(one.sampleValue.uiVal)) for one in samples)
        return [PowerSample(stamp, watts) for stamp, watts in pairs if watts is not None]

    def process_samples(self, handle: NvmlHandle, after_stamp: int) -> list[ProcessSample]:
        """Return the SM utilization of a GPU by process. Only processes that computed are listed.

        Drivers of Blackwell GPUs refuse the older of the two calls (Project-HAMi/HAMi-core).

        Args:
            handle: The GPU.
            after_stamp: Only samples later than this time stamp, in µs, are returned.
        """
        refusals: list[DriverError] = []
        for name in ("nvmlDeviceGetProcessUtilization", "nvmlDeviceGetProcessesUtilizationInfo"):
            try:
                return [ProcessSample(s.timeStamp, s.pid, s.smUtil) for s in self.call(name, handle, after_stamp)]
            except DriverError as error:
                code = getattr(error.__cause__, "value", None)
                if code in _NOTHING_NEW:
                    return []
                refusals.append(error)
                if code != _NOT_SUPPORTED:
                    break
        raise refusals[0]

    def call(self, name: str, *arguments: object) -> Any:  # noqa: ANN401  the binding is untyped
        """Call a function of the driver, and call it again if its failure may pass.

        Args:
            name: Name of the function in the binding.
            arguments: Its arguments.
        """
        begun = self._monotonic()
        try:
            return getattr(self.nvml, name)(*arguments)
        except self._failures as failure:
            return self._call_again(failure, name, arguments)
        finally:
            seconds = self._monotonic() - begun
            fresh = seconds if seconds < _CLIPPED_SECONDS else _CLIPPED_SECONDS  # noqa: FURB136  min() takes longer
            self.call_seconds += _FRESH_SHARE * (fresh - self.call_seconds)

    def _call_again(self, failure: Exception, name: str, arguments: tuple[object, ...]) -> Any:  # noqa: ANN401
        for _ in range(1 if self.is_slow else self.patience - 1):
            if getattr(failure, "value", None) not in _PASSING:
                break
            try:
                return getattr(self.nvml, name)(*arguments)
            except self._failures as error:
                failure = error
        kind = DriverGoneError if getattr(failure, "value", None) == _UNINITIALIZED else DriverError
        raise kind(str(failure)) from failure


def _watts(milliwatts: float) -> float:
    watts = watts_or_none(milliwatts)
    if watts is None:
        raise DriverError(f"a power of {milliwatts} mW is impossible")  # noqa: EM102, TRY003
    return watts

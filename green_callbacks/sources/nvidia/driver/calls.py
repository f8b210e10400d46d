"""The calls that are made to NVIDIA's driver, in SI units and with one kind of failure."""

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

Handle = Any
"""What the driver calls a device: an opaque pointer."""

_PASSING = frozenset({10, 15, 27, 999})
"""Timeout, GPU is lost, not ready, unknown: asking again may help."""
_PATIENCE_AT_OPEN, _PATIENCE = 6, 2
_UNINITIALISED, _NOT_SUPPORTED = 1, 3
_NOTHING_NEW = frozenset({0, 6})
"""Not found; and success, which the binding raises where there was nothing to make room for."""

_NO_COUNT: Final = 2**64 - 1  # what a counter of 64 bits shows that holds -1
_MOST_DEVICES: Final = 1024
"""The most GPUs, or MIG devices of one, that are asked for: a count beyond is none."""
_SLOW_SECONDS: Final = 0.05
"""A call that takes longer is slow, in s: a healthy driver answers within 1 ms."""
_CLIPPED_SECONDS, _FRESH_SHARE = 0.2, 0.3
"""Weight of the last call in the mean duration of a call: after one stall of any length, ten fast calls suffice."""


class DriverError(Exception):
    """A call that the driver refused, or whose answer cannot be; the text is the driver's, or ours."""


class DriverGoneError(DriverError):
    """The library was shut down behind our back: it must be initialised again."""


class Driver:
    """NVML, through the module ``pynvml`` of NVIDIA's own distribution ``nvidia-ml-py``.

    Every method but :meth:`close` raises :class:`DriverError` when the driver refuses.

    Args:
        nvml: The module, initialised.
        clock: The time, by which calls are timed. Defaults to the machine's.
    """

    def __init__(self, nvml: ModuleType, clock: Clock | None = None) -> None:
        self.patience = _PATIENCE_AT_OPEN
        """How often a call is tried whose failure may pass."""
        self.call_seconds = 0.0
        """Mean duration of the last few calls, in s; a call counts as 0.2 s at most."""
        self._nvml = nvml
        # The machine's own function: each edge times as many calls as it makes.
        self._monotonic = monotonic if clock is None or type(clock) is SystemClock else clock.monotonic
        # A name is missing where another distribution has put its own pynvml in the place of NVIDIA's. The others: a
        # library that cannot be loaded, a text that is no UTF-8.
        self._failures = (getattr(nvml, "NVMLError", OSError), AttributeError, OSError, ValueError)

    def hurry(self) -> None:
        """From now on try a call twice at most: training waits for some of them."""
        self.patience = _PATIENCE

    @property
    def is_slow(self) -> bool:
        """Whether calls take more than 50 ms: then the driver is asked for nothing that can be spared."""
        return self.call_seconds > _SLOW_SECONDS

    @classmethod
    def open(cls, clock: Clock | None = None) -> "Driver":
        """Load and initialise the library.

        Args:
            clock: The time, by which calls are timed. Defaults to the machine's.

        Raises:
            SourceUnavailableError: There is no driver, or it does not answer.
        """
        nvml = loaded()
        driver = cls(nvml, clock)
        try:
            driver.initialise()
        except DriverError as error:
            code = getattr(error.__cause__, "value", None)
            advice = (foreign(nvml) if code is None else None) or remedy(code)
            msg = f"No NVIDIA GPU can be measured: the driver's library says '{error}'. {advice}"
            raise SourceUnavailableError(msg) from error
        return driver

    def initialise(self) -> None:
        """Initialise the library; it counts how often."""
        self.call("nvmlInit")

    def close(self) -> None:
        """Undo one initialisation; a driver that refuses is gone already."""
        try:
            self.call("nvmlShutdown")
        except DriverError:
            return

    def device_count(self) -> int:
        """Return how many GPUs the driver sees."""
        return min(int(self.call("nvmlDeviceGetCount")), _MOST_DEVICES)

    def handle_by_index(self, index: int) -> Handle:
        """Return a GPU by its place on the PCI bus."""
        return self.call("nvmlDeviceGetHandleByIndex", index)

    def handle_by_uuid(self, uuid: str) -> Handle:
        """Return a GPU or a MIG device by its full UUID."""
        return self.call("nvmlDeviceGetHandleByUUID", uuid)

    def uuid(self, handle: Handle) -> str:
        """Return the UUID of a GPU or a MIG device."""
        return as_text(self.call("nvmlDeviceGetUUID", handle))

    def name(self, handle: Handle) -> str:
        """Return the product name."""
        return as_text(self.call("nvmlDeviceGetName", handle))

    def architecture(self, handle: Handle) -> int:
        """Return the architecture: 5 is Volta, 7 Ampere, 9 Hopper."""
        return int(self.call("nvmlDeviceGetArchitecture", handle))

    def mig_handles(self, handle: Handle) -> list[Handle]:
        """Return the MIG devices of a GPU; none where there are none."""
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

    def mig_slices(self, handle: Handle) -> int:
        """Return how many GPU slices a MIG device has."""
        return int(self.call("nvmlDeviceGetAttributes_v2", handle).gpuInstanceSliceCount)

    def mig_instance(self, handle: Handle) -> tuple[int, int]:
        """Return the ids of the GPU instance and of the compute instance of a MIG device."""
        gpu_instance = int(self.call("nvmlDeviceGetGpuInstanceId", handle))
        return gpu_instance, int(self.call("nvmlDeviceGetComputeInstanceId", handle))

    def most_slices(self, handle: Handle) -> int:
        """Return into how many slices MIG can cut a GPU."""
        return int(self.call("nvmlDeviceGetMaxMigDeviceCount", handle))

    def processes(self, handle: Handle) -> list[RunningProcess]:
        """Return the processes that compute on a GPU. Slow (milliseconds on some drivers): ask rarely."""
        found = self.call("nvmlDeviceGetComputeRunningProcesses", handle)
        return [RunningProcess(int(one.pid), instance(getattr(one, "gpuInstanceId", None))) for one in found]

    def process_ids(self, handle: Handle) -> list[int]:
        """Return the ids of the processes that compute on a GPU. As slow as :meth:`processes`."""
        return [process.pid for process in self.processes(handle)]

    def limit_watts(self, handle: Handle) -> float:
        """Return the power limit that is enforced, in W."""
        return _watts(self.call("nvmlDeviceGetEnforcedPowerLimit", handle))

    def default_limit_watts(self, handle: Handle) -> float:
        """Return the power limit that the maker gave the GPU, in W."""
        return _watts(self.call("nvmlDeviceGetPowerManagementDefaultLimit", handle))

    def energy_joules(self, handle: Handle) -> float:
        """Return the energy counter, in J."""
        millijoules = self.call("nvmlDeviceGetTotalEnergyConsumption", handle)
        if not 0 <= millijoules < _NO_COUNT:
            raise DriverError(f"an energy of {millijoules} mJ cannot be")  # noqa: EM102, TRY003
        return float(millijoules) / MILLIJOULES_PER_JOULE

    def power_watts(self, handle: Handle) -> float:
        """Return the plain power, in W."""
        return _watts(self.call("nvmlDeviceGetPowerUsage", handle))

    def field_watts(self, handle: Handle, field: Field) -> float:
        """Return a power that is a field value, in W.

        Args:
            handle: The GPU.
            field: The field and its scope.
        """
        [value] = self.fields_watts(handle, (field,))
        if value is None:
            raise DriverError(f"field {field[0]} is not told")  # noqa: EM102, TRY003  one line is enough
        return value

    def fields_watts(self, handle: Handle, fields: Sequence[Field]) -> list[float | None]:
        """Return several powers that are field values, by one call, in W; None for each that is not told.

        Args:
            handle: The GPU.
            fields: The fields and their scopes: ``NVML_FI_DEV_POWER_AVERAGE`` or ``NVML_FI_DEV_POWER_INSTANT`` with
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
            msg = f"field {fields[0][0]}: {self._nvml.NVMLError(next(filter(None, codes)))}"
            raise DriverError(msg)
        return watts

    def power_samples(self, handle: Handle, after_stamp: int) -> list[PowerSample]:
        """Return the driver's own power samples, oldest first, without those that cannot be; none if nothing is new.

        Args:
            handle: The GPU.
            after_stamp: Only those later than this time stamp.
        """
        try:
            _, samples = self.call("nvmlDeviceGetSamples", handle, self._nvml.NVML_TOTAL_POWER_SAMPLES, after_stamp)
        except DriverError as error:
            if getattr(error.__cause__, "value", None) in _NOTHING_NEW:
                return []
            raise
        pairs = ((int(one.timeStamp), watts_or_none(one.sampleValue.uiVal)) for one in samples)
        return [PowerSample(stamp, watts) for stamp, watts in pairs if watts is not None]

    def process_samples(self, handle: Handle, after_stamp: int) -> list[ProcessSample]:
        """Return how busy each process kept a GPU; only those that computed, so perhaps none.

        Drivers of Blackwell GPUs refuse the older of the two calls (Project-HAMi/HAMi-core).

        Args:
            handle: The GPU.
            after_stamp: Since this time stamp.
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
        """Call a function of the driver, again if its failure may pass.

        Args:
            name: The function, as the binding calls it.
            arguments: Its arguments.
        """
        begun = self._monotonic()
        try:
            return getattr(self._nvml, name)(*arguments)
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
                return getattr(self._nvml, name)(*arguments)
            except self._failures as error:
                failure = error
        kind = DriverGoneError if getattr(failure, "value", None) == _UNINITIALISED else DriverError
        raise kind(str(failure)) from failure


def _watts(milliwatts: float) -> float:
    watts = watts_or_none(milliwatts)
    if watts is None:
        raise DriverError(f"a power of {milliwatts} mW cannot be")  # noqa: EM102, TRY003
    return watts

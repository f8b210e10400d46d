"""The calls that are made to NVIDIA's driver, in SI units and with one kind of failure."""

from types import ModuleType
from typing import Any, NamedTuple

from green_callbacks.errors import SourceUnavailableError
from green_callbacks.units import MILLIWATTS_PER_WATT

Handle = Any
"""What the driver calls a device: an opaque pointer."""

_PASSING = frozenset({10, 27, 999})
"""Timeout, not ready, unknown: asking again may help."""
_PATIENCE_AT_OPEN, _PATIENCE = 6, 2
_UNINITIALISED, _NOT_SUPPORTED = 1, 3
_NOTHING_NEW = frozenset({0, 6})
"""Not found; and success, which the binding raises where there was nothing to make room for."""


class DriverError(Exception):
    """A call that the driver refused; the text is the driver's."""


class DriverGoneError(DriverError):
    """The library was shut down behind our back: it must be initialised again."""


class PowerSample(NamedTuple):
    """One entry of the driver's buffer of power samples."""

    stamp: int
    """The driver's time stamp, in microseconds since 1970."""
    watts: float


class ProcessSample(NamedTuple):
    """How busy one process kept a GPU since it was last asked."""

    stamp: int
    """The driver's time stamp, in microseconds since 1970."""
    pid: int
    percent: int
    """Part of the time in which its kernels ran: SM utilisation."""


class Driver:
    """NVML, through the module ``pynvml`` of NVIDIA's own distribution ``nvidia-ml-py``.

    Every method but :meth:`close` raises :class:`DriverError` when the driver refuses.

    Args:
        nvml: The module, initialised.
    """

    def __init__(self, nvml: ModuleType) -> None:
        self.patience = _PATIENCE_AT_OPEN
        """How often a call is tried whose failure may pass."""
        self._nvml = nvml
        # A name is missing where another distribution has put its own pynvml in the place of NVIDIA's. The others: a
        # library that cannot be loaded, a text that is no UTF-8.
        self._failures = (getattr(nvml, "NVMLError", OSError), AttributeError, OSError, ValueError)

    def hurry(self) -> None:
        """From now on try a call twice at most: training waits for some of them."""
        self.patience = _PATIENCE

    @classmethod
    def open(cls) -> "Driver":
        """Load and initialise the library.

        Raises:
            SourceUnavailableError: There is no driver, or it does not answer.
        """
        try:
            import pynvml
        except ImportError as error:
            msg = "NVIDIA GPUs cannot be measured: nvidia-ml-py is missing; run 'pip install nvidia-ml-py'."
            raise SourceUnavailableError(msg) from error
        driver = cls(pynvml)
        try:
            driver.initialise()
        except DriverError as error:
            msg = (
                f"No NVIDIA GPU can be measured: the driver's library says '{error}'. If this machine has one, install "
                "its driver, or start the container with GPU access (--gpus all); 'nvidia-smi' must work."
            )
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
        return int(self.call("nvmlDeviceGetCount"))

    def handle_by_index(self, index: int) -> Handle:
        """Return a GPU by its place on the PCI bus."""
        return self.call("nvmlDeviceGetHandleByIndex", index)

    def handle_by_uuid(self, uuid: str) -> Handle:
        """Return a GPU or a MIG device by its full UUID."""
        return self.call("nvmlDeviceGetHandleByUUID", uuid)

    def uuid(self, handle: Handle) -> str:
        """Return the UUID of a GPU or a MIG device."""
        return str(self.call("nvmlDeviceGetUUID", handle))

    def name(self, handle: Handle) -> str:
        """Return the product name."""
        return str(self.call("nvmlDeviceGetName", handle))

    def architecture(self, handle: Handle) -> int:
        """Return the architecture: 5 is Volta, 7 Ampere, 9 Hopper."""
        return int(self.call("nvmlDeviceGetArchitecture", handle))

    def mig_handles(self, handle: Handle) -> list[Handle]:
        """Return the MIG devices of a GPU; none where there are none."""
        try:
            most = int(self.call("nvmlDeviceGetMaxMigDeviceCount", handle))
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

    def process_ids(self, handle: Handle) -> list[int]:
        """Return the processes that compute on a GPU. Slow (milliseconds on some drivers): ask once."""
        return [int(process.pid) for process in self.call("nvmlDeviceGetComputeRunningProcesses", handle)]

    def limit_watts(self, handle: Handle) -> float:
        """Return the power limit that is enforced, in W."""
        return int(self.call("nvmlDeviceGetEnforcedPowerLimit", handle)) / MILLIWATTS_PER_WATT

    def field_watts(self, handle: Handle, field: int, scope: int) -> float:
        """Return a power that is a field value, in W.

        Args:
            handle: The GPU.
            field: ``NVML_FI_DEV_POWER_AVERAGE`` or ``NVML_FI_DEV_POWER_INSTANT``.
            scope: ``NVML_POWER_SCOPE_GPU`` or ``NVML_POWER_SCOPE_MODULE``.
        """
        for _ in range(self.patience):
            value = self.call("nvmlDeviceGetFieldValues", handle, [(field, scope)])[0]
            if value.nvmlReturn == 0:
                return int(value.value.uiVal) / MILLIWATTS_PER_WATT
            if value.nvmlReturn not in _PASSING:
                break
        msg = f"field {field}: {self._nvml.NVMLError(value.nvmlReturn)}"
        raise DriverError(msg)

    def power_samples(self, handle: Handle, after_stamp: int) -> list[PowerSample]:
        """Return the driver's own power samples, oldest first.

        Args:
            handle: The GPU.
            after_stamp: Only those later than this time stamp.
        """
        _, samples = self.call("nvmlDeviceGetSamples", handle, self._nvml.NVML_TOTAL_POWER_SAMPLES, after_stamp)
        return [PowerSample(s.timeStamp, s.sampleValue.uiVal / MILLIWATTS_PER_WATT) for s in samples]

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
        try:
            return getattr(self._nvml, name)(*arguments)
        except self._failures as failure:
            return self._call_again(failure, name, arguments)

    def _call_again(self, failure: Exception, name: str, arguments: tuple[object, ...]) -> Any:  # noqa: ANN401
        for _ in range(self.patience - 1):
            if getattr(failure, "value", None) not in _PASSING:
                break
            try:
                return getattr(self._nvml, name)(*arguments)
            except self._failures as error:
                failure = error
        kind = DriverGoneError if getattr(failure, "value", None) == _UNINITIALISED else DriverError
        raise kind(str(failure)) from failure

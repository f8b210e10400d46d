"""A stand-in for ``amdsmi`` whose GPUs draw scripted powers by a script's clock.

Calls, names, units, error codes and what stands for nothing are those of amdsmi 7.0.2; ``old=True`` is ROCm 6.0.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from types import ModuleType
from typing import Any
from unittest import mock

from green_callbacks.clock import Clock

INVAL, NOT_SUPPORTED, NOT_FOUND, NOT_INIT, NOT_LOADED = 1, 2, 31, 32, 34
TEXTS = {
    INVAL: "AMDSMI_STATUS_INVAL - Invalid parameters",
    NOT_SUPPORTED: "AMDSMI_STATUS_NOT_SUPPORTED - Feature not supported",
    NOT_FOUND: "AMDSMI_STATUS_NOT_FOUND - Device Not found",
    NOT_INIT: "AMDSMI_STATUS_NOT_INIT - Device not initialized",
    NOT_LOADED: "AMDSMI_STATUS_DRIVER_NOT_LOADED - Driver not loaded",
}
MICROJOULES_PER_COUNT = 15.300000190734863
"""15.3 as the library's float of 32 bits."""


class AmdSmiException(Exception):  # noqa: N818  the library's name
    """Anything the binding raises."""


class AmdSmiLibraryException(AmdSmiException):
    """What the library answers."""

    def __init__(self, err_code: int) -> None:
        super().__init__(err_code)
        self.err_code = err_code
        self.err_info = TEXTS[err_code]

    def __str__(self) -> str:
        return f"Error code:\n\t{self.err_code} | {self.err_info}"


class AmdSmiParameterException(AmdSmiException):
    """A handle that is none."""


class AmdSmiInitFlags(IntEnum):
    INIT_AMD_GPUS = 2


@dataclass(eq=False)
class FakeGpu:
    """A GPU, or the part of one.

    Attributes:
        serial: Its unique number.
        watts: What it draws.
        counter: How the counter follows the true energy; None for no counter.
        power: Which power is told: ``current``, ``average`` or None.
    """

    serial: int
    watts: float = 300.0
    name: str = "AMD Instinct MI300X"
    counter: Callable[[float], float] | None = lambda joules: joules
    power: str | None = "current"
    shown_watts: float | None = None
    address: str = ""
    hip_id: int | None = None
    node_id: int | None = None
    partition: int | str = 0
    device_id: str = "0x74a1"
    format_revision: int = 1
    cap_microwatts: int = 750_000_000
    lost: bool = False
    pids: list[int] = field(default_factory=list)
    start_joules: float = 70_000.0
    used_joules: float = 0.0
    since: float = 0.0


class _Handle:
    def __init__(self, gpu: FakeGpu, generation: int) -> None:
        self.gpu, self.generation = gpu, generation


class FakeAmdSmi:
    """The driver and its library."""

    def __init__(self, clock: Clock, *gpus: FakeGpu, old: bool = False) -> None:
        self.clock, self.gpus, self.old = clock, list(gpus), old
        self.init_error: int | None = None
        self.is_initialized = False
        self.generation = 0
        self.calls: list[str] = []
        for number, gpu in enumerate(self.gpus):
            gpu.address = gpu.address or f"0000:{0xC1 + number:02x}:00.0"

    def draw(self, gpu: FakeGpu, watts: float) -> None:
        """Let a GPU draw another power from now on."""
        self.used(gpu)
        gpu.watts = watts

    def used(self, gpu: FakeGpu) -> float:
        """Return the true energy so far, in J."""
        now = self.clock.monotonic()
        gpu.used_joules += gpu.watts * (now - gpu.since)
        gpu.since = now
        return gpu.used_joules

    def shut_down(self) -> None:
        """Do what somebody else in the process may do: from then on handles mean nothing."""
        self.is_initialized = False
        self.generation += 1

    def module(self) -> ModuleType:
        module = ModuleType("amdsmi")
        names = [name for name in dir(self) if name.startswith("amdsmi_")]
        newer = ("amdsmi_get_gpu_enumeration_info", "amdsmi_get_gpu_kfd_info")
        for name in names:
            if not (self.old and name in newer):
                setattr(module, name, self._recorded(name))
        for each in (AmdSmiException, AmdSmiLibraryException, AmdSmiParameterException, AmdSmiInitFlags):
            setattr(module, each.__name__, each)
        return module

    def _recorded(self, name: str) -> Callable[..., Any]:
        function = getattr(self, name)

        def call(*arguments: object) -> Any:
            self.calls.append(name)
            return function(*arguments)

        return call

    def amdsmi_init(self, flag: AmdSmiInitFlags = AmdSmiInitFlags.INIT_AMD_GPUS) -> None:
        if self.init_error is not None:
            raise AmdSmiLibraryException(self.init_error)
        self.is_initialized = True

    def amdsmi_shut_down(self) -> None:
        self.shut_down()

    def amdsmi_get_processor_handles(self) -> list[_Handle]:
        self._need_library()
        return [_Handle(gpu, self.generation) for gpu in self.gpus]

    def amdsmi_get_processor_handle_from_bdf(self, bdf: str) -> _Handle:
        self._need_library()
        for gpu in self.gpus:
            if gpu.address == bdf and not gpu.lost:
                return _Handle(gpu, self.generation)
        raise AmdSmiLibraryException(NOT_FOUND)

    def amdsmi_get_gpu_device_bdf(self, handle: _Handle) -> str:
        return self._gpu(handle).address

    def amdsmi_get_gpu_device_uuid(self, handle: _Handle) -> str:
        return f"ff{self._gpu(handle).serial % 2**24:06x}-0000-1000-80ff-ffffffffffff"

    def amdsmi_get_gpu_asic_info(self, handle: _Handle) -> dict[str, Any]:
        gpu = self._gpu(handle)
        serial = f"0x{gpu.serial:016X}" if gpu.serial else "N/A"
        return {"market_name": gpu.name, "vendor_id": "0x1002", "device_id": gpu.device_id, "asic_serial": serial}

    def amdsmi_get_gpu_enumeration_info(self, handle: _Handle) -> dict[str, Any]:
        gpu = self._gpu(handle)
        hip_id = "N/A" if gpu.hip_id is None else gpu.hip_id
        hip_uuid = f"GPU-{gpu.serial:016x}" if gpu.serial else ""
        return {"drm_render": 128, "drm_card": 0, "hsa_id": hip_id, "hip_id": hip_id, "hip_uuid": hip_uuid}

    def amdsmi_get_gpu_kfd_info(self, handle: _Handle) -> dict[str, Any]:
        gpu = self._gpu(handle)
        node_id = "N/A" if gpu.node_id is None else gpu.node_id
        return {"kfd_id": 41547, "node_id": node_id, "current_partition_id": gpu.partition}

    def amdsmi_get_gpu_metrics_info(self, handle: _Handle) -> dict[str, Any]:
        return {"common_header.format_revision": self._gpu(handle).format_revision, "average_socket_power": "N/A"}

    def amdsmi_get_gpu_process_list(self, handle: _Handle) -> list[dict[str, Any]]:
        return [{"name": "python", "pid": pid, "mem": 0} for pid in self._gpu(handle).pids]

    def amdsmi_get_power_cap_info(self, handle: _Handle) -> dict[str, Any]:
        cap = self._gpu(handle).cap_microwatts
        return {"power_cap": cap, "default_power_cap": cap, "dpm_cap": 0, "min_power_cap": 0, "max_power_cap": cap}

    def amdsmi_get_energy_count(self, handle: _Handle) -> dict[str, Any]:
        gpu = self._gpu(handle)
        if gpu.counter is None:
            raise AmdSmiLibraryException(NOT_SUPPORTED)
        microjoules = gpu.counter(gpu.start_joules + self.used(gpu)) * 1e6
        return {
            "power" if self.old else "energy_accumulator": int(microjoules / MICROJOULES_PER_COUNT),
            "counter_resolution": MICROJOULES_PER_COUNT,
            "timestamp": int(self.clock.monotonic() * 1e9),
        }

    def amdsmi_get_power_info(self, handle: _Handle) -> dict[str, Any]:
        gpu = self._gpu(handle)
        watts = round(gpu.watts if gpu.shown_watts is None else gpu.shown_watts)
        told = {f"{kind}_socket_power": watts if gpu.power == kind else "N/A" for kind in ("current", "average")}
        nothing = 0xFFFFFFFF if self.old else "N/A"
        return {"socket_power": nothing, **told, "gfx_voltage": 750, "soc_voltage": "N/A", "power_limit": 750}

    def _need_library(self) -> None:
        if not self.is_initialized:
            raise AmdSmiLibraryException(NOT_INIT)

    def _gpu(self, handle: object) -> FakeGpu:
        if not isinstance(handle, _Handle):
            raise AmdSmiParameterException(handle)
        self._need_library()
        if handle.generation != self.generation or handle.gpu.lost:
            raise AmdSmiLibraryException(INVAL)
        return handle.gpu


class Installed:
    """The library in the place of the machine's, until it is removed."""

    def __init__(self, smi: FakeAmdSmi | None) -> None:
        self._patch = mock.patch.dict(sys.modules, {"amdsmi": smi and smi.module()})
        self._patch.start()

    def remove(self) -> None:
        self._patch.stop()


def dies(serial: int, watts: float = 400.0) -> tuple[FakeGpu, FakeGpu]:
    """The two dies of an MI250X: the first shows the power of both, the second nothing."""
    name, kind = "AMD Instinct MI250X", "0x7408"
    first = FakeGpu(serial, watts, name, power="average", device_id=kind, cap_microwatts=560_000_000)
    second = FakeGpu(serial + 1, 0.0, name, lambda joules: 0.0, "average", device_id=kind, cap_microwatts=0)
    return first, second

"""The calls of AMD's driver, in SI units, with one kind of failure and without printed text."""

from collections.abc import Callable
from importlib import import_module
from math import inf
from types import ModuleType
from typing import Any, Final, TypeGuard

from green_callbacks.errors import SourceUnavailableError
from green_callbacks.sources.amd.silenced_import import quiet
from green_callbacks.units import MICROJOULES_PER_JOULE, MICROWATTS_PER_WATT

AmdHandle = Any
"""The library's opaque pointer to a GPU. It is void after the library was shut down."""

_NOT_INITIALIZED: Final = 32
"""Return code for a library that is not initialized (``AMDSMI_STATUS_NOT_INIT``)."""
_NOT_REPORTED: Final = 0xFFFF
"""Value for a power that is not reported. Larger values mean the same, since older versions pass wider ones on."""
_NO_COUNT: Final = 2**64 - 1
"""Value of a 64-bit counter that holds -1."""
_LARGEST_LIMIT: Final = 10_000
"""Largest power limit in W. A larger value is in µW, as ROCm on Linux reports it. Hosts of virtual GPUs report W."""
_POWERS: Final = ("current_socket_power", "average_socket_power", "socket_power")
"""Names of the power (AMD SMI 7, ``amdsmi_power_info_t``). They belong to MI300 and later, to older chips, and to
either."""
_ENERGIES: Final = ("energy_accumulator", "power")
"""Names of the counter, since ROCm 6.1 and before."""


class AmdDriverError(Exception):
    """The driver refused a call. The text is the driver's."""


class AmdDriver:
    """AMD SMI, through the module ``amdsmi`` of ROCm or of PyPI.

    The library is not shut down at the end, because others in this process may use it, as torch does, and it does not
    count its users. If others shut it down, it is initialized again. Every method but :meth:`open` raises
    :class:`AmdDriverError` if the driver refuses.

    Args:
        smi: The module.
    """

    def __init__(self, smi: ModuleType) -> None:
        self._smi = smi

    @classmethod
    def open(cls) -> "AmdDriver":
        """Load and initialize the library.

        Raises:
            SourceUnavailableError: There is no library or no driver.
        """
        driver = cls(_loaded())
        try:
            driver.initialize()
        except AmdDriverError as error:
            msg = (
                f"No AMD GPU can be measured. The driver's library says '{error}'. `amd-smi list` must work. Load the "
                "module amdgpu, and join the groups render and video. A container needs --device=/dev/kfd "
                "--device=/dev/dri."
            )
            raise SourceUnavailableError(msg) from error
        return driver

    def initialize(self) -> None:
        """Initialize the library. Does nothing if it is initialized."""
        self._call("amdsmi_init")

    def handles(self) -> list[AmdHandle]:
        """Return all GPUs that the driver sees, in the order of the library."""
        return list(self._call("amdsmi_get_processor_handles"))

    def handle_by_address(self, address: str) -> AmdHandle:
        """Return a GPU by its PCI address."""
        return self._call("amdsmi_get_processor_handle_from_bdf", address)

    def address(self, handle: AmdHandle) -> str:
        """Return the PCI address, e.g. ``0000:c1:00.0``."""
        return str(self._call("amdsmi_get_gpu_device_bdf", handle))

    def uuid(self, handle: AmdHandle) -> str:
        """Return the library's own UUID, which differs from the UUID in ``ROCR_VISIBLE_DEVICES``."""
        return str(self._call("amdsmi_get_gpu_device_uuid", handle))

    def details(self, name: str, handle: AmdHandle) -> dict[str, Any]:
        """Return the answer of an optional call. It is empty if this version or this GPU lacks the call.

        Args:
            name: The call without ``amdsmi_get_gpu_``, e.g. ``asic_info``.
            handle: The GPU.
        """
        try:
            return self._table(f"amdsmi_get_gpu_{name}", handle)
        except AmdDriverError:
            return {}

    def process_ids(self, handle: AmdHandle) -> list[int]:
        """Return the ids of the processes that use a GPU."""
        try:
            return [int(process["pid"]) for process in self._call("amdsmi_get_gpu_process_list", handle)]
        except (KeyError, TypeError, ValueError) as error:
            raise AmdDriverError(str(error)) from error

    def energy_joules(self, handle: AmdHandle) -> float:
        """Return the energy counter, in J since the driver was loaded."""
        answer = self._table("amdsmi_get_energy_count", handle)
        count = next((answer[name] for name in _ENERGIES if _is_number(answer.get(name))), None)
        microjoules = answer.get("counter_resolution")
        if count is None or not 0 <= count < _NO_COUNT or not _is_number(microjoules) or not 0 < microjoules < inf:
            msg = "no energy counter"
            raise AmdDriverError(msg)
        return float(count * microjoules / MICROJOULES_PER_JOULE)

    def power_watts(self, handle: AmdHandle) -> float:
        """Return the power in W, instantaneous or average, whichever the GPU reports."""
        answer = self._table("amdsmi_get_power_info", handle)
        for name in _POWERS:
            watts = answer.get(name)
            if _is_number(watts) and 0 <= watts < _NOT_REPORTED:
                return float(watts)
        msg = "no power is reported"
        raise AmdDriverError(msg)

    def limit_watts(self, handle: AmdHandle, name: str = "power_cap") -> float | None:
        """Return a power limit in W, or None if it is not reported.

        Args:
            handle: The GPU.
            name: ``power_cap`` for the present limit, ``default_power_cap`` for the default. Defaults to ``power_cap``.
        """
        try:
            limit = self._table("amdsmi_get_power_cap_info", handle).get(name)
        except AmdDriverError:
            return None
        if not _is_number(limit) or not 0 < limit < inf:
            return None
        return float(limit / MICROWATTS_PER_WATT if limit > _LARGEST_LIMIT else limit)

    def _table(self, name: str, handle: AmdHandle) -> dict[str, Any]:
        answer = self._call(name, handle)
        if not isinstance(answer, dict):
            msg = f"{name} returns {type(answer).__name__} and no table"
            raise AmdDriverError(msg)
        return answer

    def _call(self, name: str, *arguments: object) -> Any:  # noqa: ANN401  the binding is untyped
        function = getattr(self._smi, name, None)
        if function is None:
            msg = f"{name} is missing from the module amdsmi"
            raise AmdDriverError(msg)
        try:
            return _answer(function, *arguments)
        except AmdDriverError as error:
            # Another user of the library in this process may have shut it down.
            if name == "amdsmi_init" or getattr(error.__cause__, "err_code", None) != _NOT_INITIALIZED:
                raise
        self.initialize()
        return _answer(function, *arguments)


def _answer(function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401  the binding is untyped
    try:
        return function(*arguments)
    # The exceptions of this library differ between versions, and none may end a training run. The reason is logged, and
    # stands in the reading.
    except Exception as error:
        text = " ".join(str(getattr(error, "err_info", error)).split())
        raise AmdDriverError(text or type(error).__name__) from error


def _is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a number. A value that is not reported is the text N/A."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _loaded() -> ModuleType:
    try:
        with quiet():
            return import_module("amdsmi")
    except ModuleNotFoundError as error:
        msg = 'AMD GPUs are not measured, because amdsmi is missing. Run `pip install "green-callbacks[amd]"`.'
        raise SourceUnavailableError(msg) from error
    # Without ROCm's library the import fails with a KeyError. A library of another version may lack a symbol.
    except Exception as error:
        msg = (
            f"AMD GPUs are not measured, because amdsmi cannot load ROCm's libamd_smi.so ({type(error).__name__}: "
            f"{error}). Install ROCm's package amd-smi-lib, and the amdsmi of the same version."
        )
        raise SourceUnavailableError(msg) from error

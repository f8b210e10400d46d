"""The calls that are made to AMD's driver, in SI units, with one kind of failure and no noise."""

from collections.abc import Callable
from importlib import import_module
from math import inf
from types import ModuleType
from typing import Any, Final, TypeGuard

from green_callbacks.errors import SourceUnavailableError
from green_callbacks.sources.amd.silenced_import import quiet
from green_callbacks.units import MICROJOULES_PER_JOULE, MICROWATTS_PER_WATT

Handle = Any
"""What the library calls a GPU: an opaque pointer, void after the library was shut down."""

_NOT_INITIALISED: Final = 32
"""AMDSMI_STATUS_NOT_INIT."""
_NOT_TOLD: Final = 0xFFFF
"""What stands for a power that is not told; likewise all that is larger, since older versions pass on wider ones."""
_NO_COUNT: Final = 2**64 - 1
_LARGEST_WATTS: Final = 10_000
"""No GPU has a limit beyond it: a larger one is in µW, as ROCm on Linux tells it; hosts of virtual GPUs tell W."""
_POWERS: Final = ("current_socket_power", "average_socket_power", "socket_power")
"""Of MI300 and later; of MI200 and before, and Navi; of either (AMD SMI 7, ``amdsmi_power_info_t``)."""
_ENERGIES: Final = ("energy_accumulator", "power")
"""Names of the counter since ROCm 6.1, and before."""


class AmdDriverError(Exception):
    """A call that the driver refused; the text is the driver's."""


class AmdDriver:
    """AMD SMI, through the module ``amdsmi`` of ROCm or of PyPI.

    The library is not shut down again: others in this process may use it, as torch does, and it does not count them.
    Where others shut it down, it is initialised again.

    Every method but :meth:`open` raises :class:`AmdDriverError` when the driver refuses.

    Args:
        smi: The module.
    """

    def __init__(self, smi: ModuleType) -> None:
        self._smi = smi

    @classmethod
    def open(cls) -> "AmdDriver":
        """Load and initialise the library.

        Raises:
            SourceUnavailableError: There is no library or no driver.
        """
        driver = cls(_loaded())
        try:
            driver.initialise()
        except AmdDriverError as error:
            msg = (
                f"No AMD GPU can be measured: the driver's library says '{error}'. `amd-smi list` must work: load the "
                "module amdgpu, and be in the groups render and video; a container needs --device=/dev/kfd "
                "--device=/dev/dri."
            )
            raise SourceUnavailableError(msg) from error
        return driver

    def initialise(self) -> None:
        """Initialise the library; does nothing if it is."""
        self._call("amdsmi_init")

    def handles(self) -> list[Handle]:
        """Return all GPUs that the driver sees, in the order of the library."""
        return list(self._call("amdsmi_get_processor_handles"))

    def handle_by_address(self, address: str) -> Handle:
        """Return a GPU by its PCI address."""
        return self._call("amdsmi_get_processor_handle_from_bdf", address)

    def address(self, handle: Handle) -> str:
        """Return the PCI address, e.g. ``0000:c1:00.0``."""
        return str(self._call("amdsmi_get_gpu_device_bdf", handle))

    def uuid(self, handle: Handle) -> str:
        """Return the library's own UUID, which is not that of ``ROCR_VISIBLE_DEVICES``."""
        return str(self._call("amdsmi_get_gpu_device_uuid", handle))

    def details(self, name: str, handle: Handle) -> dict[str, Any]:
        """Return what an optional call tells of a GPU; nothing if this version or this GPU has no such call.

        Args:
            name: The call without ``amdsmi_get_gpu_``, e.g. ``asic_info``.
            handle: The GPU.
        """
        try:
            return self._table(f"amdsmi_get_gpu_{name}", handle)
        except AmdDriverError:
            return {}

    def process_ids(self, handle: Handle) -> list[int]:
        """Return the processes that use a GPU."""
        try:
            return [int(process["pid"]) for process in self._call("amdsmi_get_gpu_process_list", handle)]
        except (KeyError, TypeError, ValueError) as error:
            raise AmdDriverError(str(error)) from error

    def energy_joules(self, handle: Handle) -> float:
        """Return the energy counter, in J since the driver was loaded."""
        told = self._table("amdsmi_get_energy_count", handle)
        count = next((told[name] for name in _ENERGIES if _is_number(told.get(name))), None)
        microjoules = told.get("counter_resolution")
        if count is None or not 0 <= count < _NO_COUNT or not _is_number(microjoules) or not 0 < microjoules < inf:
            msg = "no energy counter"
            raise AmdDriverError(msg)
        return float(count * microjoules / MICROJOULES_PER_JOULE)

    def power_watts(self, handle: Handle) -> float:
        """Return the power in W: of the instant or an average, whichever the GPU tells."""
        told = self._table("amdsmi_get_power_info", handle)
        for name in _POWERS:
            watts = told.get(name)
            if _is_number(watts) and 0 <= watts < _NOT_TOLD:
                return float(watts)
        msg = "no power is told"
        raise AmdDriverError(msg)

    def limit_watts(self, handle: Handle, name: str = "power_cap") -> float | None:
        """Return a power limit in W; None if it is not told.

        Args:
            handle: The GPU.
            name: Which limit: ``power_cap`` for that of now, ``default_power_cap`` for the maker's.
        """
        try:
            limit = self._table("amdsmi_get_power_cap_info", handle).get(name)
        except AmdDriverError:
            return None
        if not _is_number(limit) or not 0 < limit < inf:
            return None
        return float(limit / MICROWATTS_PER_WATT if limit > _LARGEST_WATTS else limit)

    def _table(self, name: str, handle: Handle) -> dict[str, Any]:
        told = self._call(name, handle)
        if not isinstance(told, dict):
            msg = f"{name} returns {type(told).__name__}, no table"
            raise AmdDriverError(msg)
        return told

    def _call(self, name: str, *arguments: object) -> Any:  # noqa: ANN401  the binding is untyped
        function = getattr(self._smi, name, None)
        if function is None:
            msg = f"{name} is missing from the module amdsmi"
            raise AmdDriverError(msg)
        try:
            return _answer(function, *arguments)
        except AmdDriverError as error:
            # Whoever else uses the library in this process may have shut it down behind our back.
            if name == "amdsmi_init" or getattr(error.__cause__, "err_code", None) != _NOT_INITIALISED:
                raise
        self.initialise()
        return _answer(function, *arguments)


def _answer(function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401  the binding is untyped
    try:
        return function(*arguments)
    # Foreign code, whose versions must match those of the driver and whose exceptions differ between them: none of
    # them may end a training run. Nothing is hidden: the reason is logged and stands in the reading.
    except Exception as error:
        text = " ".join(str(getattr(error, "err_info", error)).split())
        raise AmdDriverError(text or type(error).__name__) from error


def _is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is one: what is not told is the text N/A."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _loaded() -> ModuleType:
    try:
        with quiet():
            return import_module("amdsmi")
    except ModuleNotFoundError as error:
        msg = 'AMD GPUs are not measured: amdsmi is missing; run `pip install "green-callbacks[amd]"`.'
        raise SourceUnavailableError(msg) from error
    # Without ROCm's library the import itself fails, with a KeyError; another version's may lack a symbol.
    except Exception as error:
        msg = (
            f"AMD GPUs are not measured: amdsmi does not load ROCm's libamd_smi.so ({type(error).__name__}: {error}); "
            "install ROCm's package amd-smi-lib, and the amdsmi of the same version."
        )
        raise SourceUnavailableError(msg) from error

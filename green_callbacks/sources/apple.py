"""Macs with Apple Silicon, by the energy that macOS reports for the parts of the chip."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from green_callbacks.clock import Clock
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.process import process_id
from green_callbacks.records import DeviceInfo, Reading
from green_callbacks.sources.common.device import SYSTEM_CLOCK, Account, LiveSource
from green_callbacks.sources.common.device_warnings import warn_if_still
from green_callbacks.sources.common.energy_counter import CountedEnergy, CounterLimits
from green_callbacks.sources.common.one_thread import Guarded
from green_callbacks.units import MILLIJOULES_PER_JOULE, finite_number

_FIELDS: Final = {"cpu": "cpu_total_mj", "gpu": "gpu_mj", "dram": "dram_mj", "ane": "ane_mj"}
"""Totals of ``zeus_apple_silicon.AppleEnergyMetrics`` by component, none of which contains another.

The memory of the GPU (``gpu_sram_mj``) is left out, because nobody states whether the GPU contains it.
"""
_MAY_BE_UNUSED: Final = "ane"
"""The neural engine. Even if it has used nothing since the machine started, it may be metered."""
_APPLE_TOLERANCE: Final = 0.40
"""Relative tolerance (by convention, as for our model of processors). Apple calls the energy estimated."""


_LARGEST_PART_WATTS: Final = 500.0
"""Power that no part of a chip draws, in W. A whole Mac Studio is sold with a power supply of 480 W."""
_PART_STILL_SECONDS: Final = {"cpu": 0.8, "gpu": None, "dram": 5.0, "ane": None}
"""Longest standstill of a counter, in s. None for the parts that the chip switches off.

The processor runs while we ask, and memory refreshes itself.
"""
_APPLE_POLL_SECONDS: Final = 1.0
"""Interval between two readings of the counters, in s, to notice a standstill (by convention)."""
_REMEDY: Final = "Try a later zeus-apple-silicon, or use CpuModelSource()."


@dataclass(frozen=True, slots=True)
class _Chip:
    """The chip.

    Attributes:
        monitor: Object of the library that reports the energies.
        process: Id of the process that opened it.
        parts: Counter of each metered part.
        read_at: Monotonic time of the last reading, in s.
    """

    monitor: Any
    process: int
    parts: Mapping[str, CountedEnergy]
    read_at: float


class AppleSiliconSource(LiveSource[Guarded[_Chip]]):
    """The processors, graphics, memory and neural engine of a Mac with Apple Silicon.

    It needs no root. macOS estimates these energies from activity and does not measure them (``man powermetrics``). So
    they are labeled as modelled, ±40 %. The devices are ``cpu:apple``, ``gpu:apple``, ``dram:apple`` and ``ane:apple``,
    but not every chip reports all of them. They cover the whole machine, whoever uses it, without the display, the
    disk, and the losses of the power supply.

    It needs ``zeus-apple-silicon`` (``pip install "green-callbacks[apple]"``), which reads the energy model of Apple's
    IOReport, in mJ. It was tested only with fakes, because no such machine was available.

    Args:
        clock: The clock. Defaults to the machine's.

    Example:
        >>> source = AppleSiliconSource()
        >>> source.read()  # a closed source has no devices
        {}
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__()
        self._clock = clock
        self.poll_seconds = _APPLE_POLL_SECONDS

    def _begin(self) -> Guarded[_Chip]:
        monitor = _monitor()
        reported = _reported_joules(monitor)
        if isinstance(reported, str) or not reported:
            reason = reported or "nothing is reported"
            msg = f"macOS does not report the energy of this chip ({reason}). Try a later zeus-apple-silicon."
            raise SourceUnavailableError(msg)
        now = self._clock.monotonic()
        parts = {
            name: CountedEnergy(_limits(name), Account(now)).taken(joules, now) for name, joules in reported.items()
        }
        return Guarded(_Chip(monitor, process_id(), parts, now))

    def read(self) -> Mapping[str, Reading]:
        """Read every part.

        Returns:
            A reading for each metered part of the chip. Empty while the source is closed.
        """
        live = self._live
        # Apple's frameworks do not survive a fork.
        if live is None or live.state.process != process_id():
            return {}
        chip = live.carry_on(self._read_on)
        if self._live is live:
            self._warn(chip)
        return {
            f"{name}:apple": part.reading(chip.read_at, name, "modelled", tolerance=_APPLE_TOLERANCE)
            for name, part in chip.parts.items()
        }

    def poll(self) -> None:
        """Read every part, so that a standstill is noticed."""
        self.read()

    def describe(self) -> Mapping[str, DeviceInfo]:
        """Return the product of every part. macOS gives no other name for it here."""
        live = self._live
        return (
            {} if live is None else {f"{name}:apple": DeviceInfo(product="Apple Silicon") for name in live.state.parts}
        )

    def _read_on(self, chip: _Chip) -> _Chip:
        reported, now = _reported_joules(chip.monitor), self._clock.monotonic()
        parts = {name: _carried_on(name, part, reported, now) for name, part in chip.parts.items()}
        return _Chip(chip.monitor, chip.process, parts, now)

    def _warn(self, chip: _Chip) -> None:
        for name, part in chip.parts.items():
            if not warn_if_still(f"{name}:apple", part, chip.read_at, _REMEDY, self._warned):
                self._warn_of_loss(f"{name}:apple", part.account.reason)


def _limits(name: str) -> CounterLimits:
    return CounterLimits(largest_watts=_LARGEST_PART_WATTS, still_seconds=_PART_STILL_SECONDS[name])


def is_apple_silicon() -> bool:
    """Return whether this is a Mac with Apple Silicon, and a Python made for it."""
    import platform

    return platform.system() == "Darwin" and platform.machine() == "arm64"


def _monitor() -> Any:  # noqa: ANN401  the binding is untyped
    if not is_apple_silicon():
        msg = "This is not a Mac with Apple Silicon, or this Python was not built for it (arm64)."
        raise SourceUnavailableError(msg)
    try:
        from zeus_apple_silicon import AppleEnergyMonitor

        return AppleEnergyMonitor()
    except ImportError as error:
        msg = (
            "The energy of Apple Silicon is not read, because zeus-apple-silicon is missing. Run "
            '`pip install "green-callbacks[apple]"`.'
        )
        raise SourceUnavailableError(msg) from error
    # The exceptions of this C++ extension cannot be known here, and none may end a training run.
    except Exception as error:
        msg = f"macOS does not report the energy of this chip ({error}). Try a later zeus-apple-silicon."
        raise SourceUnavailableError(msg) from error


def _reported_joules(monitor: Any) -> dict[str, float] | str:  # noqa: ANN401  the binding is untyped
    """Return the energy of each metered part, in J, or the reason why nothing is reported."""
    try:
        metrics = monitor.get_cumulative_energy()
        fields = {name: getattr(metrics, field, None) for name, field in _FIELDS.items()}
        millijoules = {name: finite_number(value) for name, value in fields.items() if value is not None}
        return {
            name: value / MILLIJOULES_PER_JOULE
            for name, value in millijoules.items()
            if value > 0 or (value == 0 and name == _MAY_BE_UNUSED)
        }
    # As above. The reason is logged, and stands in the reading.
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"


def _carried_on(name: str, part: CountedEnergy, reported: Mapping[str, float] | str, now: float) -> CountedEnergy:
    if isinstance(reported, str):
        return part.lost(reported)
    joules = reported.get(name)
    return part.lost("macOS no longer reports its energy") if joules is None else part.taken(joules, now)

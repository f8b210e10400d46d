"""Macs with Apple Silicon, by the energy that macOS tells of the parts of the chip."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from green_callbacks.clock import Clock
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.process import process_id
from green_callbacks.records import Reading
from green_callbacks.sources._device import SYSTEM_CLOCK, Account, LiveSource
from green_callbacks.units import MILLIJOULES_PER_JOULE

_FIELDS: Final = {"cpu": "cpu_total_mj", "gpu": "gpu_mj", "dram": "dram_mj", "ane": "ane_mj"}
"""Totals of ``zeus_apple_silicon.AppleEnergyMetrics`` by component, none of which contains another. Left out is the
memory of the GPU (``gpu_sram_mj``), as nobody says whether the GPU contains it."""
_MAY_BE_UNUSED: Final = "ane"
"""The neural engine: that it used nothing since the machine started is no sign that it is not metered."""
_TOLERANCE: Final = 0.40
"""A convention, as wide as for our own model of processors: Apple states no accuracy, and calls it estimated."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the chip as of its last answer: what was told of it, and what that came to."""

    account: Account
    told_joules: float


@dataclass(frozen=True, slots=True)
class _Chip:
    """The monitor, its process, and the parts that are metered."""

    monitor: Any
    process: int
    parts: Mapping[str, _Part]


class AppleSiliconSource(LiveSource[_Chip]):
    """The processors, graphics, memory and neural engine of a Mac with Apple Silicon.

    It needs no root. macOS estimates these energies from what the parts do, rather than measuring them (``man
    powermetrics``), so they are labelled as modelled, ±40 %. The devices are ``cpu:apple``, ``gpu:apple``,
    ``dram:apple`` and ``ane:apple``; not every chip tells of all. They are the whole machine's, whoever uses them,
    but for the display, the disk, and what the power supply loses.

    It takes ``zeus-apple-silicon`` (``pip install "green-callbacks[apple]"``), which reads the energy model of Apple's
    IOReport, in mJ. Tested on fakes only: no such machine was at hand.

    Args:
        clock: The time.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__()
        self._clock = clock

    def _begin(self) -> _Chip:
        monitor = _monitor()
        told = _told(monitor)
        if isinstance(told, str) or not told:
            reason = told or "nothing is told"
            msg = f"macOS does not tell the energy of this chip ({reason}): try a later zeus-apple-silicon."
            raise SourceUnavailableError(msg)
        account = Account(self._clock.monotonic(), joules=0.0)
        return _Chip(monitor, process_id(), {name: _Part(account, joules) for name, joules in told.items()})

    def read(self) -> Mapping[str, Reading]:
        """Read every part.

        Returns:
            A reading for each part of the chip that is metered; nothing while the source is closed.
        """
        with self._lock:
            chip = self._live
            # Apple's frameworks do not live through a fork.
            if chip is None or chip.process != process_id():
                return {}
            told, now = _told(chip.monitor), self._clock.monotonic()
            parts = {name: _carried_on(name, part, told, now) for name, part in chip.parts.items()}
            self._live = replace(chip, parts=parts)
            for name, part in parts.items():
                self._warn_of_loss(f"{name}:apple", part.account.reason)
        return {f"{name}:apple": _reading(name, part.account, now) for name, part in parts.items()}


def is_apple_silicon() -> bool:
    """Return whether this is a Mac with Apple Silicon, and a Python made for it."""
    import platform

    return platform.system() == "Darwin" and platform.machine() == "arm64"


def _monitor() -> Any:  # noqa: ANN401  the binding is untyped
    if not is_apple_silicon():
        msg = "This is no Mac with Apple Silicon, or not a Python made for it (arm64)."
        raise SourceUnavailableError(msg)
    try:
        from zeus_apple_silicon import AppleEnergyMonitor

        return AppleEnergyMonitor()
    except ImportError as error:
        msg = (
            "The energy of Apple Silicon is not read: zeus-apple-silicon is missing; run "
            '`pip install "green-callbacks[apple]"`.'
        )
        raise SourceUnavailableError(msg) from error
    # An extension in C++: which exceptions it raises cannot be known here, and none may end a training run.
    except Exception as error:
        msg = f"macOS does not tell the energy of this chip ({error}): try a later zeus-apple-silicon."
        raise SourceUnavailableError(msg) from error


def _told(monitor: Any) -> dict[str, float] | str:  # noqa: ANN401  the binding is untyped
    """Return the energy of each part that is metered, in J; or why nothing is told."""
    try:
        metrics = monitor.get_cumulative_energy()
        millijoules = {name: getattr(metrics, field, None) for name, field in _FIELDS.items()}
        return {
            name: float(value) / MILLIJOULES_PER_JOULE
            for name, value in millijoules.items()
            if value is not None and (value > 0 or name == _MAY_BE_UNUSED)
        }
    # As above. Nothing is hidden: the reason is logged and stands in the reading.
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"


def _carried_on(name: str, part: _Part, told: Mapping[str, float] | str, now: float) -> _Part:
    if isinstance(told, str):
        return replace(part, account=part.account.lose(told))
    joules = told.get(name)
    if joules is None:
        return replace(part, account=part.account.lose("macOS no longer tells its energy"))
    if joules < part.told_joules:
        return _Part(part.account.skip(now, "reset"), joules)
    return _Part(part.account.add(joules - part.told_joules, now), joules)


def _reading(component: str, account: Account, now: float) -> Reading:
    return Reading(
        joules=account.joules,
        component=component,
        method="modelled",
        tolerance=_TOLERANCE,
        gap_seconds=account.gap_seconds_at(now),
        flags=account.flags,
        reason=account.reason,
    )

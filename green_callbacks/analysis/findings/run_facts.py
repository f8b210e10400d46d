"""The records of a run as findings read them, and what its GPUs did in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

from green_callbacks.records import DeviceEnergy, DeviceInfo, EpochRecord, History
from green_callbacks.records.coverage import SHARED, UNMEASURED
from green_callbacks.records.effort import Effort
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_energy, format_mass

LEAST_SECONDS: Final = 300.0
"""Time that a finding needs, in s (by convention). At one sample a second, a share is then known to about 3 points."""
LEAST_OBSERVED: Final = 0.5
"""Share of the time in which the driver must have been asked, as a ratio (by convention)."""
LEAST_USE: Final = 0.03
"""Mean utilization in epochs from which on a GPU counts as used, as a ratio (by convention). A GPU that is only there
waits for nothing.
"""
_NAMED: Final = 3
"""Largest number of GPUs that a sentence names."""
_PAIR: Final = 2
"""Number of GPUs that a sentence calls both."""
_LONGEST_NAME: Final = 60
"""Longest name of a GPU in a sentence, in characters."""
_FACTS: Final = ("utilization", "thermal_share", "power_cap_share", "hardware_share")
"""The facts about a GPU that findings read, by their names in an activity."""
_UNSURE: Final = frozenset({SHARED, UNMEASURED, "share_unknown", "sm_share", "shared_host"})
"""Flags of devices whose activity or energy is not that of the run alone."""


class Row(NamedTuple):
    """A record with its cost.

    Attributes:
        record: The record.
        facility_kwh: Energy of the facility, in kWh. 0 if nothing was measured.
        emissions_kg: Emissions, in kgCO2e. 0 if nothing was measured.
        effort: What its training took, by samples and steps. Nothing without samples.
        joules: Energy, in J. None if nothing was measured.
        is_measured: Whether every GPU was measured, for this run alone, and so was more than half of the energy.
    """

    record: EpochRecord
    facility_kwh: float
    emissions_kg: float
    effort: Effort
    joules: float | None
    is_measured: bool


@dataclass
class RunFacts:
    """The rows of a run, inside epochs and outside.

    Rows of epochs that were repeated, or that lie outside epochs and were cut short, are left out.

    Attributes:
        inside: Rows inside epochs.
        outside: Rows outside epochs.
        infos: Properties of devices, by device.
    """

    inside: list[Row] = field(default_factory=list)
    outside: list[Row] = field(default_factory=list)
    infos: Mapping[str, DeviceInfo] = field(default_factory=dict)

    @cached_property
    def gpus(self) -> "dict[str, GpuTime]":
        """What each GPU did inside epochs, by device."""
        return gpus_of(self.inside)

    @classmethod
    def of(cls, history: History, infos: Mapping[str, DeviceInfo]) -> "RunFacts":
        """Read the records of a run.

        Args:
            history: The records.
            infos: Properties of devices, by device.
        """
        facts = cls(infos=infos)
        before_kwh = before_kg = 0.0
        sums = zip(history, history.cumulative_kwh, history.cumulative_kg, strict=False)
        for at, (record, kwh, kg) in enumerate(sums):
            if not history.was_lost(at):
                effort = Effort() if record.samples is None else history.effort_at(at)
                joules = history.energy_joules_at(at)
                is_measured = history.measured_joules_at(at) is not None and _is_of_run(record.devices.values(), joules)
                row = Row(record, kwh - before_kwh, kg - before_kg, effort, joules, is_measured)
                (facts.outside if record.epoch is None else facts.inside).append(row)
            before_kwh, before_kg = kwh, kg
        return facts


@dataclass(slots=True)
class GpuTime:
    """What a GPU did in some rows.

    Attributes:
        name: Name of the device.
        seconds: Time of the rows, in s.
        joules: Its energy, in J.
        known_seconds: Time in which a fact was observed, in s, by fact.
        sums: Share times observed time, in s, by fact.
        is_sure: Whether its energy was measured in all rows, for this run alone.
    """

    name: str
    seconds: float = 0.0
    joules: float = 0.0
    known_seconds: dict[str, float] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    is_sure: bool = True

    def share(self, fact: str) -> float | None:
        """Return the mean of a fact, from 0 to 1. None if it was not observed for long enough to be sure.

        Args:
            fact: An attribute of :class:`green_callbacks.records.DeviceActivity`, such as ``utilization``.
        """
        known = self.known_seconds.get(fact, 0.0)
        if not self.is_sure or known < max(LEAST_SECONDS, LEAST_OBSERVED * self.seconds):
            return None
        return min(max(self.sums[fact] / known, 0.0), 1.0)

    def add(self, record: EpochRecord, device: DeviceEnergy) -> None:
        """Add a record.

        Args:
            record: The record.
            device: The energy of the GPU in it.
        """
        self.seconds += record.duration_seconds
        self.joules += device.joules or 0.0
        is_measured = device.joules is not None and device.method != "modelled"
        self.is_sure &= is_measured and (not device.flags or _UNSURE.isdisjoint(device.flags))
        activity = record.activity.get(self.name)
        if activity is None or activity.observed_seconds <= 0:
            return
        seconds = min(activity.observed_seconds, record.duration_seconds)
        shares = (activity.utilization, activity.thermal_share, activity.power_cap_share, activity.hardware_share)
        for fact, share in zip(_FACTS, shares, strict=True):
            if share is not None:
                self.known_seconds[fact] = self.known_seconds.get(fact, 0.0) + seconds
                self.sums[fact] = self.sums.get(fact, 0.0) + share * seconds


def _is_of_run(devices: Iterable[DeviceEnergy], joules: float | None) -> bool:
    """Return whether all GPUs and more than half of the energy of a record were measured for this run alone."""
    sure_joules = 0.0
    for device in devices:
        if device.method != "modelled" and _UNSURE.isdisjoint(device.flags):
            sure_joules += device.joules or 0.0
        elif device.component == "gpu":
            return False
    return bool(joules) and sure_joules > LEAST_OBSERVED * (joules or 0.0)


def gpus_of(rows: Iterable[Row]) -> dict[str, GpuTime]:
    """Return what each GPU did in some rows, by device.

    Args:
        rows: The rows.
    """
    found: dict[str, GpuTime] = {}
    for row in rows:
        for name, device in row.record.devices.items():
            if device.component == "gpu":
                found.setdefault(name, GpuTime(name)).add(row.record, device)
    return found


def are_measured(rows: Sequence[Row]) -> bool:
    """Return whether more than half of the energy of rows was measured for the run alone, and every GPU.

    Args:
        rows: The rows.
    """
    return bool(rows) and all(row.is_measured for row in rows)


def seconds_of(rows: Iterable[Row]) -> float:
    """Return the time of rows, in s.

    Args:
        rows: The rows.
    """
    return sum(row.record.duration_seconds for row in rows)


def costs_of(rows: Iterable[Row], share: float = 1.0) -> dict[str, Any]:
    """Return a share of the cost of rows, as arguments of a finding.

    Args:
        rows: The rows.
        share: The share, from 0 to 1. Defaults to 1.
    """
    found = list(rows)
    return {
        "facility_kwh": share * sum(row.facility_kwh for row in found),
        "emissions_kg": share * sum(row.emissions_kg for row in found),
    }


def amount_of(costs: Mapping[str, float]) -> str:
    """Return a cost as sentences tell it. It is energy where the electricity causes no emissions.

    Args:
        costs: The cost, as arguments of a finding.
    """
    kg = costs["emissions_kg"]
    return format_mass(kg) if kg > 0 else format_energy(costs["facility_kwh"])


def named(gpus: Sequence[GpuTime], of: int) -> str:
    """Return the GPUs as a sentence begins with them, such as ``2 of 8 GPUs (gpu:3 and gpu:4)``.

    Args:
        gpus: The GPUs, at least one.
        of: Number of GPUs of the run.
    """
    if of == 1:
        return "The GPU"
    if len(gpus) == of:
        return "Both GPUs" if of == _PAIR else f"All {of} GPUs"
    names = [for_terminal(gpu.name, limit=_LONGEST_NAME) for gpu in gpus[:_NAMED]]
    rest = len(gpus) - len(names)
    listed = ", ".join([*names, *([f"{rest} more"] if rest else [])])
    return f"{len(gpus)} of {of} GPUs ({listed})"


def mean_of(gpus: Sequence[GpuTime], fact: str) -> float:
    """Return the mean of a fact over GPUs that know it.

    Args:
        gpus: The GPUs.
        fact: The fact.
    """
    shares = [share for gpu in gpus if (share := gpu.share(fact)) is not None]
    return sum(shares) / len(shares)

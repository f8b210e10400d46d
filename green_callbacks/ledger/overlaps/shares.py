"""What a sum leaves out of each run, because several processes have measured the same energy."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from math import fsum
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

from green_callbacks.errors import LedgerError
from green_callbacks.ledger.closing_line import Closing
from green_callbacks.ledger.overlaps.candidates import MeasuredRun, candidates
from green_callbacks.ledger.overlaps.division import Company, Key, companies_of
from green_callbacks.ledger.overlaps.hosts import Hosts
from green_callbacks.ledger.overlaps.stretches import Row, Stretch, rows_of_files, stretches_of

Files: TypeAlias = Sequence[Path]
"""The ledgers of one run. Most runs have one ledger."""


class Part(NamedTuple):
    """The part of what a run has measured that a sum leaves out, because it counts for other runs.

    Attributes:
        joules: Energy at the IT equipment that is left out, in J.
        facility_kwh: Energy of the facility that is left out, in kWh.
        emissions_kg: Emissions that are left out, in kgCO2e.
        low_kg: Lower bound of these emissions, in kgCO2e.
        high_kg: Upper bound of these emissions, in kgCO2e.
        devices: Energy by device, in J. It may leave out devices that the run did not share.
        components: Components of the devices that other processes measured too, such as ``gpu``.
        most: Largest number of processes that measured one of them at once.

    Example:
        >>> Part(1.0, 0.0, 0.0, 0.0, 0.0, {}, ("gpu",), 2).most
        2
    """

    joules: float
    facility_kwh: float
    emissions_kg: float
    low_kg: float
    high_kg: float
    devices: Mapping[str, float]
    components: tuple[str, ...]
    most: int


class Memory(Protocol):
    """Remembers what was found in ledgers that have not changed since.

    Example:
        >>> isinstance(Forgetful(), object)
        True
    """

    def stretches(self, files: Files) -> Sequence[Stretch] | None:
        """Return the stretches of a run, or None if they are not known."""
        ...

    def keep_stretches(self, files: Files, stretches: Sequence[Stretch]) -> None:
        """Remember the stretches of a run."""
        ...

    def part(self, files: Files, company: str) -> Part | None:
        """Return the part of a run in some company, or None if it is not known."""
        ...

    def keep_part(self, files: Files, company: str, part: Part) -> None:
        """Remember the part of a run in some company."""
        ...

    def division(self, runs: Sequence[Files]) -> Sequence[Part | None] | None:
        """Return the parts of runs that have been divided before, or None if one of the ledgers has changed since."""
        ...

    def keep_division(self, runs: Sequence[Files], parts: Sequence[Part | None]) -> None:
        """Remember the parts of runs."""
        ...


class Forgetful:
    """Remembers nothing.

    Example:
        >>> Forgetful().part([Path("a.jsonl")], "1a2b") is None
        True
    """

    def stretches(self, files: Files) -> None:
        """Return None."""

    def keep_stretches(self, files: Files, stretches: Sequence[Stretch]) -> None:
        """Do nothing."""

    def part(self, files: Files, company: str) -> None:
        """Return None."""

    def keep_part(self, files: Files, company: str, part: Part) -> None:
        """Do nothing."""

    def division(self, runs: Sequence[Files]) -> None:
        """Return None."""

    def keep_division(self, runs: Sequence[Files], parts: Sequence[Part | None]) -> None:
        """Do nothing."""


def parts_of(runs: Sequence[MeasuredRun], memory: Memory | None = None) -> list[Part | None]:
    """Divide what several processes have measured at the same time equally between their runs.

    A device counts once at any time, with the mean of what its processes have measured. Only the records of runs that
    may have measured together are read, one ledger at a time.

    Args:
        runs: The runs of a sum, each once, without runs inside others.
        memory: Remembers what was found. Defaults to None, for nothing.

    Returns:
        What the sum leaves out of each run, in the same order. None for a run that has shared nothing.

    Example:
        >>> parts_of([])
        []
    """
    memory = memory or Forgetful()
    parts: list[Part | None] = [None] * len(runs)
    found = candidates(runs)
    if not found:
        return parts
    files = [runs[at].files for at in found]
    divided = memory.division(files)
    if divided is None:
        divided = _divided(files, memory)
        memory.keep_division(files, divided)
    for at, part in zip(found, divided, strict=True):
        parts[at] = part
    return parts


def _divided(runs: Sequence[Files], memory: Memory) -> list[Part | None]:
    """Return the part of each run. None for a run that has always been alone."""
    stretches = [_stretches(files, memory) for files in runs]
    hosts = Hosts(device.place for each in stretches for one in each for device in one.devices)
    companies = _companies([one for each in stretches for one in each], hosts)
    said = [_company_of(each, companies, hosts) for each in stretches]
    return [
        None if company is None else _part(files, company, companies, hosts, memory)
        for files, company in zip(runs, said, strict=True)
    ]


def of_part(closing: Closing, part: Part) -> Closing:
    """Return the totals of a run without the part that counts for other runs.

    Args:
        closing: The totals.
        part: The part.
    """
    left_out = part.devices
    return replace(
        closing,
        energy_joules=_without(closing.energy_joules, part.joules),
        facility_kwh=max(0.0, closing.facility_kwh - part.facility_kwh),
        emissions_kg=max(0.0, closing.emissions_kg - part.emissions_kg),
        emissions_low_kg=_without(closing.emissions_low_kg, part.low_kg),
        emissions_high_kg=_without(closing.emissions_high_kg, part.high_kg),
        devices={name: _without(joules, left_out.get(name, 0.0)) for name, joules in closing.devices.items()},
    )


def _without(whole: float | None, left_out: float) -> float | None:
    return None if whole is None else max(0.0, whole - left_out)


def _stretches(files: Files, memory: Memory) -> Sequence[Stretch]:
    known = memory.stretches(files)
    if known is None:
        known = stretches_of(files)
        memory.keep_stretches(files, known)
    return known


def _companies(stretches: Sequence[Stretch], hosts: Hosts) -> dict[Key, Company]:
    spans: dict[Key, dict[Hashable, list[tuple[float, float]]]] = {}
    for stretch in stretches:
        for device in stretch.devices:
            by_process = spans.setdefault(hosts.key_of(device), {})
            by_process.setdefault(stretch.process, []).append((stretch.began, stretch.ended))
    return companies_of(spans)


def _company_of(stretches: Sequence[Stretch], companies: Mapping[Key, Company], hosts: Hosts) -> str | None:
    """Return a text that changes if the company of a run changes. None if it has always been alone."""
    said, most = sha256(), 1
    for stretch in stretches:
        for device in sorted(stretch.devices):
            company = companies.get(hosts.key_of(device))
            if company is not None:
                numbers = company.within(stretch.began, stretch.ended)
                most = max(most, *(piece.processes for piece in numbers))
                said.update(repr((device.name, [tuple(piece) for piece in numbers])).encode())
    return said.hexdigest() if most > 1 else None


def _part(files: Files, said: str, companies: Mapping[Key, Company], hosts: Hosts, memory: Memory) -> Part | None:
    part = memory.part(files, said)
    if part is None:
        part = _summed(files, companies, hosts)
        if part is not None:
            memory.keep_part(files, said, part)
    return part


def _summed(files: Files, companies: Mapping[Key, Company], hosts: Hosts) -> Part | None:
    """Return what is left out of a run, by its records. None if a ledger of it is gone."""
    sums = [0.0] * 5
    devices: dict[str, float] = {}
    components: dict[str, None] = {}
    most = 1
    try:
        for row in rows_of_files(files):
            shares = _shares(row, companies, hosts)
            sums = [sum(pair) for pair in zip(sums, _amounts(row, shares), strict=True)]
            for name, (share, count) in shares.items():
                energy = row.record.devices[name]
                most = max(most, count)
                if count > 1:
                    devices[name] = devices.get(name, 0.0) + (energy.joules or 0.0) * (1.0 - share)
                    components[energy.component] = None
    except LedgerError:
        return None
    joules, kwh, kg, low_kg, high_kg = sums
    return Part(joules, kwh, kg, low_kg, high_kg, devices, tuple(components), most)


def _shares(row: Row, companies: Mapping[Key, Company], hosts: Hosts) -> dict[str, tuple[float, int]]:
    """Return the share of each device, and the largest number of processes that measured it at once."""
    began, ended = row.span
    shares = {}
    for name, device in row.devices().items():
        company = companies.get(hosts.key_of(device))
        if company is None:
            shares[name] = (1.0, 1)
        else:
            shares[name] = (company.share(began, ended), company.most(began, ended))
    return shares


def _amounts(row: Row, shares: Mapping[str, tuple[float, int]]) -> tuple[float, ...]:
    """Return what is left out of a record, as energy, energy of the facility, emissions, and their bounds."""
    record = row.record
    joules = record.energy_joules
    if not joules:
        return (0.0,) * 5
    others = fsum((record.devices[name].joules or 0.0) * (1.0 - share) for name, (share, _) in shares.items())
    amounts = (record.facility_kwh, record.emissions_kg, record.emissions_low_kg, record.emissions_high_kg)
    return (others, *((amount or 0.0) * others / joules for amount in amounts))

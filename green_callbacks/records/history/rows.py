"""The rows of a history, and how one is added: whole, or not at all."""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Hashable, Mapping, Sequence
from math import fsum, isfinite, nan
from operator import mul
from typing import Any, Final, Self

from green_callbacks.errors import ConfigurationError
from green_callbacks.records.device import DeviceEnergy, PhaseEnergy
from green_callbacks.records.epoch import EpochRecord, sensor_gains, total_energy
from green_callbacks.records.history.columns import Numbers, Shared, Sparse
from green_callbacks.records.intensity import Intensity
from green_callbacks.records.methods import Method
from green_callbacks.units import GRAMS_PER_KG, JOULES_PER_KWH

DeviceLabels = tuple[
    tuple[str, ...], tuple[str, ...], tuple[Method, ...], tuple[float, ...], tuple[tuple[str, ...], ...]
]
"""What rarely changes about the devices of a row: their names, components, methods, tolerances and flags."""

_NO_DEVICES: Final[DeviceLabels] = ((), (), (), (), ())

NONE: Final = -(2**63)
"""Stands for None in a column of epochs; no epoch has this index."""

_OPEN: Final = -1
"""No length: something is being added."""

CLOSES: Final = 1
COMPLETE: Final = 2
"""The two bits of a mark: that a row closes its epoch, and that it was not cut short."""

DEVICE_NUMBERS: Final = 3
"""Energy of a device, its lower and its upper bound, in J; ``NaN`` stands for None."""

PHASE_NUMBERS: Final = 2
"""Energy of a phase in J, ``NaN`` for None, and its time in s."""

DENSE: Final = {
    "epoch": "q",
    "marks": "b",
    "started": "d",
    "duration": "d",
    "pue": "d",
    "joules": "d",
    "kg": "d",
    "kwh": "d",
    "seconds": "d",
    "low_kg": "d",
    "high_kg": "d",
}
"""Columns with one number in every row, and their type codes. From ``kg`` on they are sums up to and with each row."""

SPARSE: Final = {
    "steps": "q",
    "rates": "d",
    "samples": "d",
    "tokens": "d",
    "flops": "d",
    "merged_epochs": "q",
    "merged_parts": "q",
    "merged_outside": "d",
    "fits": "q",
}
"""Columns that few rows have.

``merged_epochs``, ``merged_parts`` and ``merged_outside`` are what a row of a thinned history holds beyond itself:
whole epochs, parts of epochs, and energy outside epochs in J. ``fits`` has the first row of every fit but the first,
with the latest epoch before it.
"""

NAMED: Final = ("metrics", "gaps", "most_joules")
"""Columns that few rows have, by name: metrics, unmeasured seconds of devices, and the dearest phases so far in J."""


class Rows:
    """All rows, of which only the first ``length`` count.

    Rows are added column by column, and count once ``length`` says so, in one assignment. Whatever interrupts that
    leaves ``length`` short of ``intended``, and values beyond it; the next addition then begins with a copy of the rows
    that count. Nothing that counts is ever changed in place.
    """

    __slots__ = (
        *DENSE,
        *SPARSE,
        *NAMED,
        "_gains",
        "_latest_epoch",
        "closed_rows",
        "device_begins",
        "device_numbers",
        "devices",
        "intensity",
        "intended",
        "length",
        "memos",
        "part_rows",
        "phase_begins",
        "phase_numbers",
        "phases",
        "unseen",
    )

    epoch: "array[int]"
    marks: "array[int]"
    started: "array[float]"
    duration: "array[float]"
    pue: "array[float]"
    joules: "array[float]"
    kg: "array[float]"
    kwh: "array[float]"
    seconds: "array[float]"
    low_kg: "array[float]"
    high_kg: "array[float]"
    steps: Sparse
    rates: Sparse
    samples: Sparse
    tokens: Sparse
    flops: Sparse
    merged_epochs: Sparse
    merged_parts: Sparse
    merged_outside: Sparse
    fits: Sparse
    metrics: dict[str, Sparse]
    gaps: dict[str, Sparse]
    most_joules: dict[str, Sparse]

    def __init__(self) -> None:
        self.length = self.intended = 0
        self.unseen = 0
        self.memos: dict[Hashable, Any] = {}
        for name, code in DENSE.items():
            setattr(self, name, array(code))
        for name, code in SPARSE.items():
            setattr(self, name, Sparse(code))
        for name in NAMED:
            setattr(self, name, {})
        self.intensity: Shared[Intensity] = Shared()
        self.devices: Shared[DeviceLabels] = Shared()
        self.phases: Shared[tuple[str, ...]] = Shared()
        self.device_begins, self.phase_begins = array("i"), array("i")
        self.device_numbers, self.phase_numbers = array("d"), array("d")
        self.closed_rows = array("i")
        self.part_rows = array("i")
        self._gains: list[tuple[tuple[float, ...], tuple[float, ...]]] = []
        self._latest_epoch = NONE

    def add(self, records: Sequence[EpochRecord]) -> None:
        """Add rows, of which all or none count in the end."""
        self.intended = _OPEN  # before the length is read: a signal handler that adds rows from now on takes a copy
        start = self.length
        self.intended = intended = start + len(records)
        for row, record in enumerate(records, start=start):
            self._add(row, record)
        self.length = intended

    def _add(self, row: int, record: EpochRecord) -> None:
        """Write a record beyond the rows that count."""
        columns = self.metrics
        for name, value in record.metrics.items():
            if name not in columns:
                columns[name] = Sparse()
            columns[name].put(row, value)
        self._add_counts(row, record)
        energy = self._add_devices(row, record.devices)
        self._add_phases(row, record.phases)
        self.started.append(record.started_at.timestamp())
        self.intensity.append(record.intensity)
        self._add_sums(row, record, energy)
        self._add_place(row, record)

    def _add_counts(self, row: int, record: EpochRecord) -> None:
        if record.step is not None:
            self.steps.put(row, record.step)
        if record.learning_rate is not None:
            self.rates.put(row, record.learning_rate)
        if record.samples is not None:
            self.samples.put(row, record.samples)
        if record.tokens is not None:
            self.tokens.put(row, record.tokens)
        if record.flops is not None:
            self.flops.put(row, record.flops)

    def _add_devices(self, row: int, devices: Mapping[str, DeviceEnergy]) -> tuple[float, float, float] | None:
        """Add the devices of a row; return their energy with its bounds, in J, as ``total_energy()`` does."""
        self.device_begins.append(len(self.device_numbers))
        if not devices:
            self.devices.append(_NO_DEVICES)
            return None
        # At every epoch, so without strict: a DeviceEnergy always has as many fields.
        all_joules, components, methods, _, lows, highs, gaps, tolerances, flags = zip(*devices.values())  # noqa: B905
        at = self.devices.append((tuple(devices), components, methods, tolerances, flags))
        numbers = [*all_joules, *lows, *highs]
        is_whole = None not in numbers
        self.device_numbers.fromlist(numbers if is_whole else [nan if each is None else each for each in numbers])
        if any(gaps):
            for name, gap_seconds in zip(devices, gaps, strict=True):
                if gap_seconds:
                    put(self.gaps, name, row, gap_seconds)
        if not is_whole:
            return total_energy(devices)
        if at >= len(self._gains):
            known = self.devices.distinct[len(self._gains) :]
            self._gains += [sensor_gains(labels[2], labels[3]) for labels in known]
        less, more = self._gains[at]
        return fsum(all_joules), fsum(map(mul, lows, less)), fsum(map(mul, highs, more))

    def _add_phases(self, row: int, phases: Mapping[str, PhaseEnergy]) -> None:
        self.phases.append(tuple(phases))
        self.phase_begins.append(len(self.phase_numbers))
        most = self.most_joules
        numbers: list[float] = []
        for name, (joules, seconds) in phases.items():
            numbers += (nan if joules is None else joules, seconds)
            if joules and joules > (most[name].values[-1] if name in most else 0.0):
                put(most, name, row, joules)
        self.phase_numbers.fromlist(numbers)

    def _add_sums(self, row: int, record: EpochRecord, energy: tuple[float, float, float] | None) -> None:
        kg = kwh = low_kg = high_kg = 0.0
        joules, seconds, pue = nan, record.duration_seconds, record.pue
        if energy is not None:
            joules, low_joules, high_joules = energy
            intensity = record.intensity
            g_per_kwh, low, high = intensity.g_per_kwh, intensity.low_g_per_kwh, intensity.high_g_per_kwh
            kwh = joules / JOULES_PER_KWH * pue
            kg = kwh * g_per_kwh / GRAMS_PER_KG
            low_kg = low_joules / JOULES_PER_KWH * pue * (g_per_kwh if low is None else low) / GRAMS_PER_KG
            high_kg = high_joules / JOULES_PER_KWH * pue * (g_per_kwh if high is None else high) / GRAMS_PER_KG
        self.duration.append(seconds)
        self.pue.append(pue)
        self.joules.append(joules)
        if row:
            before = row - 1
            kg += self.kg[before]
            kwh += self.kwh[before]
            low_kg += self.low_kg[before]
            high_kg += self.high_kg[before]
            seconds += self.seconds[before]
        if not isfinite(kg + kwh + low_kg + high_kg + seconds + pue):
            msg = "The record cannot be kept, because the sum of its energy, emissions or time would not be finite."
            raise ConfigurationError(msg)
        self.kg.append(kg)
        self.kwh.append(kwh)
        self.low_kg.append(low_kg)
        self.high_kg.append(high_kg)
        self.seconds.append(seconds)

    def _add_place(self, row: int, record: EpochRecord) -> None:
        epoch, closes, complete = record.epoch, record.closes_epoch, record.complete
        self.marks.append((CLOSES if closes else 0) | (COMPLETE if complete else 0))
        self.epoch.append(NONE if epoch is None else epoch)
        if epoch is not None:
            self._follow(row, epoch, closes=closes, complete=complete)

    def _follow(self, row: int, epoch: int, *, closes: bool, complete: bool) -> None:
        if epoch < self._latest_epoch:
            self.fits.put(row, self._latest_epoch)
        self._latest_epoch = epoch
        if not closes:
            self.part_rows.append(row)
        elif complete:
            self.closed_rows.append(row)

    def copy(self) -> Self:
        """Return a copy of the rows that count; what was derived from them stays behind."""
        copied, length = type(self)(), self.length
        for name in DENSE:
            setattr(copied, name, getattr(self, name)[:length])
        for name in SPARSE:
            setattr(copied, name, getattr(self, name).copy(length))
        for name in NAMED:
            columns = {key: column.copy(length) for key, column in list(getattr(self, name).items())}
            setattr(copied, name, {key: column for key, column in columns.items() if column.rows})
        copied.intensity = self.intensity.copy(length)
        copied.devices = self.devices.copy(length)
        copied.phases = self.phases.copy(length)
        copied.device_begins, copied.phase_begins = self.device_begins[:length], self.phase_begins[:length]
        copied.device_numbers = self.device_numbers[: self.device_end(length)]
        copied.phase_numbers = self.phase_numbers[: self.phase_end(length)]
        copied.closed_rows = array("i", until(self.closed_rows, length))
        copied.part_rows = array("i", until(self.part_rows, length))
        copied._latest_epoch = next((epoch for epoch in reversed(copied.epoch) if epoch != NONE), NONE)  # noqa: SLF001
        copied.unseen, copied.length, copied.intended = self.unseen, length, length
        return copied

    def rewound(self, lost: Collection[int]) -> Self:
        """Return a copy in which some rows of the present fit lie outside epochs, without metrics.

        Args:
            lost: These rows.
        """
        changed, first = self.copy(), self.fit_row(self.length)
        for row in lost:
            changed.epoch[row] = NONE
            changed.marks[row] &= ~COMPLETE
        for name in ("rates", "merged_epochs", "merged_parts", "merged_outside"):
            setattr(changed, name, getattr(changed, name).copy(self.length, lost))
        changed.metrics = {name: column.copy(self.length, lost) for name, column in changed.metrics.items()}
        changed._follow_again(first)  # noqa: SLF001  of its own kind
        return changed

    def _follow_again(self, first: int) -> None:
        """Find fits, closed epochs and parts anew from a row on: the first of the last fit."""
        latest = self.fits.get(first)
        self.fits = self.fits.copy(first)
        self.closed_rows = array("i", until(self.closed_rows, first))
        self.part_rows = array("i", until(self.part_rows, first))
        self._latest_epoch = NONE if latest is None else latest
        for row in range(first, self.length):
            if self.epoch[row] != NONE:
                mark = self.marks[row]
                self._follow(row, self.epoch[row], closes=bool(mark & CLOSES), complete=bool(mark & COMPLETE))

    def device_end(self, length: int) -> int:
        """Return where the numbers of the devices of the first rows end."""
        return self.device_slice(length - 1).stop if length else 0

    def phase_end(self, length: int) -> int:
        """Return where the numbers of the phases of the first rows end."""
        return self.phase_slice(length - 1).stop if length else 0

    def device_ends(self) -> list[int]:
        """Return where the numbers of the devices of each row end."""
        return [*self.device_begins[1 : self.length], self.device_end(self.length)][: self.length]

    def phase_ends(self) -> list[int]:
        """Return where the numbers of the phases of each row end."""
        return [*self.phase_begins[1 : self.length], self.phase_end(self.length)][: self.length]

    def find_closed(self) -> None:
        """Find closed epochs and parts from the marks of all rows."""
        marks = zip(self.epoch, self.marks, strict=True)
        inside = [(row, mark) for row, (epoch, mark) in enumerate(marks) if epoch != NONE]
        self.closed_rows = array("i", (row for row, mark in inside if mark == CLOSES | COMPLETE))
        self.part_rows = array("i", (row for row, mark in inside if not mark & CLOSES))
        self._latest_epoch = self.epoch[inside[-1][0]] if inside else NONE

    def device_slice(self, row: int) -> slice:
        """Return where the numbers of the devices of a row lie."""
        begin = self.device_begins[row]
        return slice(begin, begin + DEVICE_NUMBERS * len(self.devices.get(row)[0]))

    def phase_slice(self, row: int) -> slice:
        """Return where the numbers of the phases of a row lie."""
        begin = self.phase_begins[row]
        return slice(begin, begin + PHASE_NUMBERS * len(self.phases.get(row)))

    def fit_row(self, length: int) -> int:
        """Return the first row of the fit that is the last among so many rows."""
        rows, _ = self.fits.until(length)
        return rows[-1] if rows else 0

    def merged_since(self, name: str, first: int) -> int:
        """Return how much the rows from one on hold beyond themselves.

        Args:
            name: Of what: ``merged_epochs`` or ``merged_parts``.
            first: The first of these rows.
        """
        if not self.unseen:  # so it is in most runs, and this is asked at every decision
            return 0
        rows, values = getattr(self, name).until(self.length)
        return int(sum(values[bisect_left(rows, first) :]))

    def dense(self, name: str) -> Numbers:
        """Return a column of the rows that count, without a copy unless something lies beyond them."""
        return until_length(getattr(self, name), self.length)


def put(columns: dict[str, Sparse], name: str, row: int, value: float) -> None:
    """Add a value to a column that goes by name, which is made the first time."""
    if name not in columns:
        columns[name] = Sparse()
    columns[name].put(row, value)


def until_length(column: Numbers, length: int) -> Numbers:
    """Return the first numbers of a column, without a copy if these are all."""
    return column if len(column) == length else column[:length]


def until(rows: "array[int]", length: int) -> "array[int]":
    """Return those of some rows, in order, that count, without a copy if all do.

    Args:
        rows: The rows.
        length: How many rows of the history count.
    """
    return rows if not rows or rows[-1] < length else rows[: bisect_left(rows, length)]

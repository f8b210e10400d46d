"""The epochs of a run as a table in plain text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from green_callbacks.records import EpochRecord, History
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.text.wording import significant
from green_callbacks.units import joules_to_kwh

_SHOWN_AT_EACH_END: Final = 5
_UNKNOWN: Final = "-"
_METRIC_DIGITS: Final = 4
_HEADER_LINES: Final = 2
_LONGEST_CELL: Final = 80
"""Characters of a cell: most of the width of a page, for names of metrics and components."""
_NOTHING: Final = "not measured"
_DIRECTNESS: Final = ("counter", "sampled", "modelled", _NOTHING)


@dataclass(slots=True)
class _Interval:
    """What some records came to together."""

    joules: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    emissions_kg: float | None = None
    total_kg: float | None = None
    metric: float | None = None

    def add(self, record: EpochRecord) -> None:
        for component, joules in record.component_joules().items():
            self.joules[component] = self.joules.get(component, 0.0) + joules
        self.seconds += record.duration_seconds
        if record.emissions_kg is not None:
            self.emissions_kg = (self.emissions_kg or 0.0) + record.emissions_kg

    @property
    def mean_watts(self) -> float | None:
        return sum(self.joules.values()) / self.seconds if self.joules and self.seconds > 0 else None


def table(history: History, monitor: str | None = None) -> str:
    """Write the epochs of a run as a table; of a long run the first and the last five.

    Args:
        history: All records. Parts of an epoch are added up; all rows outside epochs together are one row.
        monitor: Key of the metric to show: its last value in each epoch.

    Returns:
        Lines of plain text: per epoch the energy by component, under each how it was obtained, mean power, emissions,
        and emissions so far, rows outside epochs included.
    """
    epochs, outside, whole = _intervals(history, monitor)
    methods = _methods(history)
    lines = [
        ["epoch", *methods, "mean power", "CO2e", "CO2e so far", monitor or ""],
        ["", *methods.values(), "", "", "", ""],
    ]
    for row in _abridged(range(len(epochs))):
        if row is None:
            lines.append(["..."] * (len(lines[0]) - 1) + ["..." if monitor else ""])
        else:
            epoch, interval = epochs[row]
            lines.append(_cells(str(epoch), interval, list(methods)))
    if outside.seconds > 0 or outside.joules:
        lines.append(_cells("outside", outside, list(methods)))
    lines.append(_cells("all", whole, list(methods)))
    return _aligned(lines)


def _intervals(history: History, monitor: str | None) -> tuple[list[tuple[int, _Interval]], _Interval, _Interval]:
    """Add up the records by epoch (an epoch that is begun again is another one), outside epochs, and altogether."""
    epochs: list[tuple[int, _Interval]] = []
    outside, whole = _Interval(), _Interval()
    is_closed = False
    for record, total_kg in zip(history, history.cumulative_kg, strict=True):
        whole.add(record)
        if record.epoch is None:
            outside.add(record)
            continue
        if not epochs or epochs[-1][0] != record.epoch or is_closed:
            epochs.append((record.epoch, _Interval()))
        is_closed = record.closes_epoch
        epoch = epochs[-1][1]
        epoch.add(record)
        epoch.total_kg = None if whole.emissions_kg is None else total_kg
        epoch.metric = record.metrics.get(monitor or "", epoch.metric)
    return epochs, outside, whole


def _methods(history: History) -> dict[str, str]:
    """Say of every component how its energy was obtained, the most direct way first."""
    found: dict[str, set[str]] = {}
    for device in history.device_totals().values():
        found.setdefault(device.component, set()).add(_NOTHING if device.joules is None else device.method)
    return {component: "+".join(sorted(ways, key=_DIRECTNESS.index)) for component, ways in found.items()}


def _abridged(rows: Sequence[int]) -> list[int | None]:
    """Leave out the middle of a long run; None stands for it."""
    if len(rows) <= 2 * _SHOWN_AT_EACH_END + 1:
        return list(rows)
    return [*rows[:_SHOWN_AT_EACH_END], None, *rows[-_SHOWN_AT_EACH_END:]]


def _cells(label: str, interval: _Interval, components: Sequence[str]) -> list[str]:
    joules = [interval.joules.get(component) for component in components]
    return [
        label,
        *(_UNKNOWN if value is None else format_energy(joules_to_kwh(value)) for value in joules),
        _UNKNOWN if interval.mean_watts is None else f"{significant(interval.mean_watts)} W",
        _UNKNOWN if interval.emissions_kg is None else format_mass(interval.emissions_kg),
        "" if interval.total_kg is None else format_mass(interval.total_kg),
        "" if interval.metric is None else significant(interval.metric, _METRIC_DIGITS),
    ]


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    lines = [[for_terminal(cell, limit=_LONGEST_CELL) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    rule = "-" * max(map(len, rows))
    return "\n".join([*rows[:_HEADER_LINES], rule, *rows[_HEADER_LINES:]])

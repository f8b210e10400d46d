"""The epochs of a run as a table of plain text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from green_callbacks.records import METHODS, EpochRecord, History
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.text.layout import UNKNOWN, aligned
from green_callbacks.text.wording import significant
from green_callbacks.units import joules_to_kwh

_SHOWN_AT_EACH_END: Final = 5
"""Number of epochs that a long table shows at its beginning, and again at its end."""

_METRIC_DIGITS: Final = 4
"""Significant digits of a metric."""

_HEADER_ROWS: Final = 2
"""Number of rows above the rule. The first row names the columns, and the second how their energy was obtained."""

_LONGEST_CELL: Final = 80
"""Longest name of a metric or component, in characters. It takes most of the width of a page."""
_NOTHING: Final = "not measured"
_DIRECTNESS: Final = (*METHODS, _NOTHING)


@dataclass(slots=True)
class _Interval:
    """The sum of some records, such as all records of an epoch."""

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
    """Write the epochs of a run as a table. A long run shows its first five and its last five epochs.

    Args:
        history: All records. Records of the same epoch are added up. All rows outside epochs are one row of the table.
        monitor: Key of the metric to show, with its last value in each epoch. Defaults to no metric.

    Returns:
        Lines of plain text. An epoch has its energy by component, mean power, emissions, and the emissions so far,
        which include rows outside epochs. The header tells how the energy of each component was obtained.

    Example:
        >>> from green_callbacks import EpochRecord
        >>> print(table(History([EpochRecord.scripted(epoch=0, emissions_kg=0.5, metrics={"acc": 0.9})]), "acc"))
        epoch  scripted   mean power   CO2e  CO2e so far     acc
                counter
        --------------------------------------------------------
            0    500 Wh  1,800,000 W  500 g        500 g  0.9000
          all    500 Wh  1,800,000 W  500 g
    """
    return aligned(rows_of(history, monitor), left=(), header_rows=_HEADER_ROWS, longest_cell=_LONGEST_CELL)


def rows_of(history: History, monitor: str | None = None) -> list[list[str]]:
    """Return the cells of the table, of which the first two rows are its header.

    Args:
        history: All records.
        monitor: Key of the metric to show. Defaults to no metric.
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
    return lines


def _intervals(history: History, monitor: str | None) -> tuple[list[tuple[int, _Interval]], _Interval, _Interval]:
    """Add up the records of each epoch, the records outside epochs, and all records.

    An epoch that begins again is another epoch.
    """
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
    """Tell how the energy of each component was obtained, with measured methods before models."""
    found: dict[str, set[str]] = {}
    for device in history.device_totals().values():
        found.setdefault(device.component, set()).add(_NOTHING if device.joules is None else device.method)
    return {component: "+".join(sorted(ways, key=_DIRECTNESS.index)) for component, ways in found.items()}


def _abridged(rows: Sequence[int]) -> list[int | None]:
    """Replace the middle of a long run by None."""
    if len(rows) <= 2 * _SHOWN_AT_EACH_END + 1:
        return list(rows)
    return [*rows[:_SHOWN_AT_EACH_END], None, *rows[-_SHOWN_AT_EACH_END:]]


def _cells(label: str, interval: _Interval, components: Sequence[str]) -> list[str]:
    joules = [interval.joules.get(component) for component in components]
    return [
        label,
        *(UNKNOWN if value is None else format_energy(joules_to_kwh(value)) for value in joules),
        UNKNOWN if interval.mean_watts is None else f"{significant(interval.mean_watts)} W",
        UNKNOWN if interval.emissions_kg is None else format_mass(interval.emissions_kg),
        "" if interval.total_kg is None else format_mass(interval.total_kg),
        "" if interval.metric is None else significant(interval.metric, _METRIC_DIGITS),
    ]

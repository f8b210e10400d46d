"""The rows of a summary, and their sums."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from green_callbacks.analysis.ledger_run import LedgerRun, best_value
from green_callbacks.cli.progress import watched
from green_callbacks.ledger.closing_line import Closing
from green_callbacks.ledger.index import LedgerIndex
from green_callbacks.ledger.project_totals import ProjectRun, count_once
from green_callbacks.ledger.reader import read_quietly
from green_callbacks.metrics import Direction
from green_callbacks.records.reference import reference_kg
from green_callbacks.units import joules_to_kwh


@dataclass(frozen=True, slots=True)
class Row:
    """A run as a summary shows it.

    Attributes:
        run: The run.
        counted: The totals that a sum adds. None for a run inside another of the runs.
        holder: Name of the run that holds its energy. None if the sum counts it itself.
        metric: Name of its metric. None without a metric.
        best: Best value of the metric. None without a finite value.
    """

    run: ProjectRun
    counted: Closing | None
    holder: str | None
    metric: str | None
    best: float | None

    @property
    def closing(self) -> Closing:
        """The totals that the run has measured."""
        return self.run.entry.closing

    @property
    def began_at(self) -> datetime | None:
        """When its first record began, in UTC."""
        return None if self.closing.facts is None else self.closing.facts.began_at

    @property
    def ended_at(self) -> datetime | None:
        """When its last record ended, in UTC."""
        return None if self.closing.facts is None else self.closing.facts.ended_at


def rows_of(
    runs: Sequence[ProjectRun], index: LedgerIndex, monitor: str | None, mode: Direction | None
) -> tuple[list[Row], list[str]]:
    """Return a row for each run.

    Args:
        runs: The runs.
        index: The index.
        monitor: Key of the metric, as the user named it. None for the metric of each run.
        mode: Direction of that metric, as the user named it. None for the direction that a name tells.

    Returns:
        The rows, and sentences about devices that several processes measured at the same time.

    Raises:
        ConfigurationError: The name of the named metric does not tell its mode.
        LedgerError: A ledger cannot be read any more.
    """
    once = count_once(runs, index=index)
    rows = []
    is_named = monitor is not None or mode is not None
    each = watched(runs, "ledgers") if is_named else iter(runs)
    for run, counted, inside in zip(each, once.closings, once.inside, strict=True):
        metric, best = _best_of(run, monitor, mode) if is_named else (run.entry.closing.monitor, run.entry.best)
        rows.append(Row(run, counted, runs[inside[0]].run_id if inside else None, metric, best))
    return rows, once.overlaps


def _best_of(run: ProjectRun, monitor: str | None, mode: Direction | None) -> tuple[str | None, float | None]:
    """Return the name and the best value of a metric that the user named, from the records."""
    found: tuple[str | None, float | None] = (None, None)
    for path in (run.path, *run.copies):
        each = LedgerRun(path, read_quietly(path)[0])
        metric = each.metric(monitor, mode)
        if metric is not None:
            values = [value for value in (found[1], best_value(each.history, metric)) if value is not None]
            found = (metric.name, metric.best(values))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """The sums over runs. What several of them hold counts once.

    Attributes:
        runs: Number of runs that the sum counts.
        inside: Number of further runs, whose energy is in one of these.
        unmeasured: Number of runs that the sum counts and that have measured no energy.
        unfinished: Number of runs that were killed or are still running.
        epochs: Number of finished epochs.
        duration_seconds: Accounted time of all runs, in s.
        energy_kwh: Energy at the IT equipment, in kWh. None if nothing was measured.
        facility_kwh: Energy of the facility, in kWh. None if nothing was measured.
        emissions_kg: Emissions, in kgCO2e. None if nothing was measured.
        low_kg: Lower bound of the emissions, in kgCO2e. None if a run does not know it.
        high_kg: Upper bound of the emissions, in kgCO2e. None if a run does not know it.
        measured_share: Measured share of the energy, 0 to 1. None if a run does not know it.
        began_at: When the first run began, in UTC. None without a record.
        ended_at: When the last run ended, in UTC. None without a record.
        scopes: Scopes of the carbon intensities, ``None`` for an unknown scope.
    """

    runs: int
    inside: int
    unmeasured: int
    unfinished: int
    epochs: int
    duration_seconds: float
    energy_kwh: float | None
    facility_kwh: float | None
    emissions_kg: float | None
    low_kg: float | None
    high_kg: float | None
    measured_share: float | None
    began_at: datetime | None
    ended_at: datetime | None
    scopes: tuple[str | None, ...]

    @property
    def reference_kg(self) -> float | None:
        """Emissions of the same energy at the world average, in kgCO2e."""
        return None if self.facility_kwh is None else reference_kg(self.facility_kwh)


def sums_of(rows: Sequence[Row]) -> Sums:
    """Sum rows.

    Args:
        rows: The rows.
    """
    counted = [row.counted for row in rows if row.counted is not None]
    measured = [each for each in counted if each.energy_joules is not None]
    joules = sum(each.energy_joules or 0.0 for each in measured)
    return Sums(
        runs=len(counted),
        inside=len(rows) - len(counted),
        unmeasured=len(counted) - len(measured),
        unfinished=sum(not row.run.entry.is_closed for row in rows),
        epochs=sum(row.closing.epochs for row in rows),  # a run that holds another has none of its epochs
        duration_seconds=sum(each.duration_seconds for each in counted),
        energy_kwh=joules_to_kwh(joules) if measured else None,
        facility_kwh=sum(each.facility_kwh for each in measured) if measured else None,
        emissions_kg=sum(each.emissions_kg for each in measured) if measured else None,
        low_kg=_sum_of_all(each.emissions_low_kg for each in measured),
        high_kg=_sum_of_all(each.emissions_high_kg for each in measured),
        measured_share=_share(measured, joules),
        began_at=min((row.began_at for row in rows if row.began_at is not None), default=None),
        ended_at=max((row.ended_at for row in rows if row.ended_at is not None), default=None),
        scopes=tuple(dict.fromkeys(each.facts.scope for each in measured if each.facts is not None)),
    )


def _sum_of_all(values: Iterable[float | None]) -> float | None:
    found = list(values)
    known = [value for value in found if value is not None]
    return sum(known) if known and len(known) == len(found) else None


def _share(measured: Sequence[Closing], joules: float) -> float | None:
    used = [each for each in measured if each.energy_joules]
    if not joules or any(each.measured_share is None for each in used):
        return None
    return sum((each.measured_share or 0.0) * (each.energy_joules or 0.0) for each in used) / joules

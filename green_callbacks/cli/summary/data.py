"""All rows of a summary for other programs, in plain units."""

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from io import StringIO
from typing import Any

from green_callbacks.cli.summary.findings_data import findings_of
from green_callbacks.cli.summary.rows import Row, Sums, sums_of
from green_callbacks.records import Effort
from green_callbacks.records.effort import NO_EFFORT, RATIOS
from green_callbacks.records.reference import WORLD, reference_kg
from green_callbacks.text import for_csv_cell
from green_callbacks.text.layout import UNKNOWN
from green_callbacks.units import joules_to_kwh

_Cell = str | int | float | bool | None


def json_text(rows: Sequence[Row], remarks: Sequence[str], groups: Mapping[str, Sequence[Row]] | None, by: str) -> str:
    """Write runs as JSON.

    Args:
        rows: The runs.
        remarks: What a reader of the sums must know.
        groups: The runs of each group, by its name. None without groups.
        by: What they are grouped by.

    Returns:
        An object with the sums, then all groups or all runs. A single run has its findings, too. Unknown values are
        null.
    """
    fields: dict[str, Any] = {
        "total": _sum_fields(sums_of(rows)),
        "world_g_per_kwh": WORLD.g_per_kwh,
        "basis": "location-based",
        "remarks": list(remarks),
    }
    if len(rows) == 1:
        fields["findings"] = findings_of(rows[0].run.path)
    if groups is None:
        fields["runs"] = [_run_fields(row) | {"labels": dict(row.run.entry.head.labels)} for row in rows]
    else:
        fields["grouped_by"] = by
        fields["groups"] = [{"group": name} | _sum_fields(sums_of(each)) for name, each in groups.items()]
    return json.dumps(fields, indent=1, ensure_ascii=True, allow_nan=False)


def csv_text(rows: Sequence[Row], groups: Mapping[str, Sequence[Row]] | None, by: str) -> str:
    """Write runs as CSV.

    Args:
        rows: The runs.
        groups: The runs of each group, by its name. None without groups.
        by: What they are grouped by.

    Returns:
        A header, then a row for each group or run. Unknown values are empty, and no text is a formula.
    """
    if groups is None:
        names = sorted({name for row in rows for name in row.run.entry.head.labels})
        found = [_run_fields(row) | _labels(row, names) for row in rows]
    else:
        found = [_group_cells(by, name, each) for name, each in groups.items()]
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([for_csv_cell(name) for name in (found[0] if found else {})])
    writer.writerows([[for_csv_cell(cell) for cell in each.values()] for each in found])
    return text.getvalue().rstrip("\n")


def _labels(row: Row, names: Sequence[str]) -> dict[str, _Cell]:
    return {f"label:{name}": row.run.entry.head.labels.get(name) for name in names}


def _group_cells(by: str, name: str, rows: Sequence[Row]) -> dict[str, _Cell]:
    """Return the cells of a group. The name of a label may be the name of a sum, such as ``epochs``."""
    sums = _flat(_sum_fields(sums_of(rows)))
    return {f"label:{by}" if by in sums else by: None if name == UNKNOWN else name, **sums}


def _flat(fields: Mapping[str, Any]) -> dict[str, _Cell]:
    return {name: "; ".join(map(str, value)) if isinstance(value, list) else value for name, value in fields.items()}


def _sum_fields(sums: Sums) -> dict[str, Any]:
    return {
        "runs": sums.runs,
        "runs_inside_others": sums.inside,
        "runs_without_energy": sums.unmeasured,
        "killed_or_running": sums.unfinished,
        "epochs": sums.epochs,
        "began_at": _time(sums.began_at),
        "ended_at": _time(sums.ended_at),
        "duration_seconds": sums.duration_seconds,
        "energy_kwh": sums.energy_kwh,
        "facility_kwh": sums.facility_kwh,
        "emissions_kg": sums.emissions_kg,
        "emissions_low_kg": sums.low_kg,
        "emissions_high_kg": sums.high_kg,
        "reference_kg": sums.reference_kg,
        "measured_share": sums.measured_share,
        "scopes": [scope or "unknown" for scope in sums.scopes],
    }


def _run_fields(row: Row) -> dict[str, _Cell]:
    closing, facts = row.closing, row.closing.facts
    return {
        "run_id": row.run.run_id,
        "ledger": str(row.run.path),
        "host": row.run.entry.head.host or None,
        "is_closed": row.run.entry.is_closed,
        "stop_reason": closing.stop_reason,
        "began_at": _time(row.began_at),
        "ended_at": _time(row.ended_at),
        "duration_seconds": closing.duration_seconds,
        "epochs": closing.epochs,
        **_amounts(row),
        "zone": closing.zone,
        "place": None if facts is None else facts.place,
        "scope": None if facts is None else facts.scope,
        "left_out": None if facts is None else facts.left_out,
        "metric": row.metric,
        "best": row.best,
        "samples": closing.samples,
        "tokens": closing.tokens,
        "flops": closing.flops,
        "steps": closing.steps,
        **_effort_fields(closing.effort or NO_EFFORT),
    }


def _effort_fields(effort: Effort) -> dict[str, _Cell]:
    """Return the energy of training per unit of work, with its bounds. Unknown values are None."""
    known = effort.ratios()
    fields: dict[str, _Cell] = {}
    for name in RATIOS:
        value, low, high = known.get(name, (None, None, None))
        fields |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return fields


def _amounts(row: Row) -> dict[str, _Cell]:
    """Return what a run has measured, and what the sums count of it."""
    closing, counted = row.closing, row.counted
    is_measured = closing.energy_joules is not None
    return {
        "energy_kwh": None if closing.energy_joules is None else joules_to_kwh(closing.energy_joules),
        "facility_kwh": closing.facility_kwh if is_measured else None,
        "emissions_kg": closing.emissions_kg if is_measured else None,
        "emissions_low_kg": closing.emissions_low_kg,
        "emissions_high_kg": closing.emissions_high_kg,
        "reference_kg": reference_kg(closing.facility_kwh) if is_measured else None,
        "counted_facility_kwh": counted.facility_kwh if counted is not None and is_measured else None,
        "counted_emissions_kg": counted.emissions_kg if counted is not None and is_measured else None,
        "counted_in": row.holder,
        "measured_share": closing.measured_share,
    }


def _time(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat().replace("+00:00", "Z")

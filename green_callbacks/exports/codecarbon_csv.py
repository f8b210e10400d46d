"""Runs with the columns of CodeCarbon's ``emissions.csv``, for tools that read that file.

Example:
    >>> len(COLUMNS), COLUMNS[0]
    (38, 'timestamp')
"""

import csv
from collections.abc import Iterable, Mapping
from datetime import timedelta
from io import StringIO
from typing import Final

from green_callbacks.carbon.tables import country_of, has_tables, read_table, tables
from green_callbacks.exports._formatting import TOOL, gpu_count
from green_callbacks.records import History, Intensity, RunRecord
from green_callbacks.records.coverage import what_counts
from green_callbacks.records.means import effective_intensity, effective_pue
from green_callbacks.text import for_csv_cell
from green_callbacks.units import joules_to_kwh, kwh_to_joules

COLUMNS: Final = (
    *("timestamp", "project_name", "run_id", "experiment_id", "duration", "emissions", "emissions_rate"),
    *("cpu_power", "gpu_power", "ram_power", "cpu_energy", "gpu_energy", "ram_energy", "energy_consumed"),
    *("water_consumed", "country_name", "country_iso_code", "region", "cloud_provider", "cloud_region", "os"),
    *("python_version", "codecarbon_version", "cpu_count", "cpu_model", "gpu_count", "gpu_model", "longitude"),
    *("latitude", "ram_total_size", "tracking_mode", "cpu_utilization_percent", "gpu_utilization_percent"),
    *("ram_utilization_percent", "ram_used_gb", "on_cloud", "pue", "wue"),
)
"""The columns of CodeCarbon 3.3.2, in its order."""

_COMPONENTS: Final[Mapping[str, str]] = {"cpu": "cpu", "gpu": "gpu", "dram": "ram"}
_NOT_KNOWN: Final = "not known"
_ISO3: Final = 3
"""Letters of a country's code. The European Union and the world have no such code."""

_Cell = str | float | None


def codecarbon_csv(runs: Iterable[tuple[RunRecord, History]], *, project: str = "green_callbacks") -> str:
    """Write runs with CodeCarbon's columns, a row for each.

    Units are those used by CodeCarbon, which are s, kgCO2e, kgCO2e/s, W and kWh. As in CodeCarbon, energy and power of
    a component include the PUE. Components other than CPU, GPU and memory count only in ``energy_consumed``.

    An unknown number is an empty cell. An unknown country or region is ``not known``, because CodeCarbon's dashboard
    needs a text there. ``gpu_model`` says if a GPU is missing from the row. ``on_cloud`` is Y for a run in a cloud
    region and N for any other. ``timestamp`` is the end of the run in UTC.

    Args:
        runs: Totals and records of each run.
        project: Name of the group in CodeCarbon's dashboard. Defaults to ``green_callbacks``.

    Returns:
        A header and rows with CodeCarbon's 38 columns. Texts are on one line, and no text is a formula.

    Example:
        >>> from green_callbacks import EpochRecord
        >>> from green_callbacks.analysis import totals
        >>> history = History([EpochRecord.scripted(epoch=0, emissions_kg=0.5)])
        >>> run = totals(history, "my-run", ledger=None, stop_reason=None)
        >>> codecarbon_csv([(run, history)]).splitlines()[1].split(",")[:6]
        ['2025-01-01T00:00:01', 'green_callbacks', 'my-run', '', '1.0', '0.5']
    """
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for run, history in runs:
        cells = {"project_name": project, **_row(run, history)}
        writer.writerow({column: for_csv_cell(cell) for column, cell in cells.items()})
    return text.getvalue()


def _row(run: RunRecord, history: History) -> dict[str, _Cell]:
    seconds = run.duration_seconds
    return {
        "timestamp": _end(history),
        "run_id": run.run_id,
        "duration": seconds,
        "emissions": run.emissions_kg,
        "emissions_rate": None if run.emissions_kg is None or seconds <= 0 else run.emissions_kg / seconds,
        **_components(history, seconds),
        "energy_consumed": run.facility_kwh,
        **_place(effective_intensity(history)),
        "codecarbon_version": TOOL,
        "gpu_count": gpu_count(run),
        "gpu_model": what_counts(run.devices),
        "tracking_mode": "machine",
        "pue": effective_pue(history),
    }


def _end(history: History) -> str | None:
    if not history:
        return None
    last = history[-1]
    try:
        end = last.started_at + timedelta(seconds=last.duration_seconds)
    except OverflowError:  # a wrong clock, beyond the year 9999
        return None
    return end.strftime("%Y-%m-%dT%H:%M:%S")


def _components(history: History, seconds: float) -> dict[str, _Cell]:
    """Return energy in kWh and mean power in W by component, with the PUE included."""
    facility_kwh: dict[str, float] = {}
    for record in history:
        for component, joules in record.component_joules().items():
            facility_kwh[component] = facility_kwh.get(component, 0.0) + joules_to_kwh(joules) * record.pue
    cells: dict[str, _Cell] = {}
    for component, column in _COMPONENTS.items():
        kwh = facility_kwh.get(component)
        cells[f"{column}_energy"] = kwh
        cells[f"{column}_power"] = None if kwh is None or seconds <= 0 else kwh_to_joules(kwh) / seconds
    return cells


def _place(intensity: Intensity | None) -> dict[str, _Cell]:
    if not has_tables("names.csv") or not has_tables():
        return {"country_name": _NOT_KNOWN, "country_iso_code": _NOT_KNOWN, "region": _NOT_KNOWN, "on_cloud": "N"}
    known, zone = tables(), intensity.zone if intensity and intensity.zone else ""
    cloud = known.regions.get(zone)
    country = cloud.country if cloud else country_of(zone)
    letters = {row["zone"]: row["iso3"] for row in read_table("names.csv") if len(row["iso3"]) == _ISO3}
    part = known.zones.get(zone) if zone != country else None
    provider, _, region = zone.partition(":") if cloud else ("", "", "")
    return {
        "country_name": known.zones[country].name if country in known.zones else _NOT_KNOWN,
        "country_iso_code": letters.get(country, _NOT_KNOWN),
        "region": cloud.place if cloud else part.name if part else _NOT_KNOWN,
        "cloud_provider": provider,
        "cloud_region": region,
        "on_cloud": "Y" if cloud else "N",
    }

"""Runs in the columns of CodeCarbon's ``emissions.csv``, so that what reads that file reads them."""

import csv
from collections.abc import Iterable, Mapping
from datetime import timedelta
from io import StringIO
from typing import Final

from green_callbacks.analysis.means import effective_intensity, effective_pue
from green_callbacks.carbon.tables import country_of, has_tables, read_table, tables
from green_callbacks.exports._formatting import TOOL, gpu_count
from green_callbacks.records import History, Intensity, RunRecord
from green_callbacks.records.coverage import what_counts
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
"""Those of CodeCarbon 3.3.2, in its order."""

_COMPONENTS: Final[Mapping[str, str]] = {"cpu": "cpu", "gpu": "gpu", "dram": "ram"}
_NOT_KNOWN: Final = "not known"
_ISO3: Final = 3
"""Letters of a country's code; the European Union and the world have none."""

_Cell = str | float | None


def codecarbon_csv(runs: Iterable[tuple[RunRecord, History]], *, project: str = "green_callbacks") -> str:
    """Write runs as CodeCarbon writes them, one row each.

    Units are CodeCarbon's: s, kgCO2e, kgCO2e/s, W, kWh. As there, energy and power of every component are the
    facility's, PUE included; what was measured but is no CPU, GPU or memory is in ``energy_consumed`` only. A number
    that is not known is left empty. Country and region say ``not known`` instead, since CodeCarbon's dashboard cannot
    do without a text. ``gpu_model`` says so where a GPU is missing from the row. ``on_cloud`` is Y where the run was
    accounted in a cloud region, else N, ``timestamp`` the end of the run in UTC.

    Args:
        runs: The totals and the records of each.
        project: Name under which CodeCarbon's dashboard groups them.

    Returns:
        A header and rows, with CodeCarbon's 38 columns. Texts are on one line, and none of them is a formula.
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
    except OverflowError:  # beyond the year 9999: a clock went wrong
        return None
    return end.strftime("%Y-%m-%dT%H:%M:%S")


def _components(history: History, seconds: float) -> dict[str, _Cell]:
    """Return energy in kWh and mean power in W by component, of the facility."""
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

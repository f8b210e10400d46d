"""The facts about a run by which people judge its numbers, as labels and values, the same on all pages.

Example:
    >>> from green_callbacks.records import Intensity
    >>> given = Intensity(g_per_kwh=330.0, source="Ember", found_by="argument")
    >>> origin_facts(given, 1.2, "argument")["PUE"]
    '1.20 (argument)'
"""

from collections.abc import Callable, Mapping
from typing import Final

from green_callbacks.records import METHOD_WORDS, DeviceEnergy, Intensity, RunRecord
from green_callbacks.text.amounts import format_mass
from green_callbacks.text.efforts import effort_facts
from green_callbacks.text.landings import landing_spent
from green_callbacks.text.wording import duration, intensity_range, percent, place, significant

TOTALS: Final = "Totals"
"""Title of the totals."""

ORIGIN: Final = "Origin of the numbers"
"""Title of the place, the source and the devices."""

DEVICE_COLUMNS: Final = ("device", "component", "how obtained", "tolerance", "notes")
"""Titles of the columns of :func:`device_rows`."""


def total_facts(run: RunRecord) -> dict[str, str]:
    """Return the totals in few rows, because TensorBoard shows a page in a low box.

    Args:
        run: Totals of the run.
    """
    emissions, low, high = (
        _known(kg, format_mass) for kg in (run.emissions_kg, run.emissions_low_kg, run.emissions_high_kg)
    )
    energy, facility = (_known(kwh, _watt_hours) for kwh in (run.energy_kwh, run.facility_kwh))
    return {
        "emissions (CO2e)": emissions if run.emissions_kg is None else f"{emissions} ({low} to {high})",
        "energy": energy if run.pue == 1.0 or run.energy_kwh is None else f"{energy}, {facility} with the facility",
        "share measured": _known(run.measured_share, percent),
        "epochs": f"{run.epochs} in {duration(run.duration_seconds)}",
        "stopped because": run.stop_reason or "no policy stopped it",
        **_landing(run),
        **effort_facts(run.effort),
    }


def _landing(run: RunRecord) -> dict[str, str]:
    """Return how the learning rate went to 0. Empty without a landing."""
    landed = run.landing
    if landed is None:
        return {}
    end = "the learning rate went to zero" if landed.is_over else "the learning rate had not reached zero"
    return {"landing": f"{end}. It took {landing_spent(landed, run.pue)}"}


def origin_facts(intensity: Intensity, pue: float, pue_source: str) -> dict[str, str]:
    """Return the origin of the carbon intensity and of the PUE. Unknown facts are left out.

    Args:
        intensity: The carbon intensity.
        pue: The PUE.
        pue_source: Origin of the PUE, in words.
    """
    basis = [part for part in (intensity.scope, intensity.basis) if part]
    facts = {
        "carbon intensity": intensity_range(intensity),
        "place": place(intensity),
        "place found by": intensity.found_by,
        "counts": ", ".join(basis),
        "source": intensity.source,
        "license": intensity.licence,
        "notes": ", ".join(intensity.flags),
        "PUE": f"{significant(pue)} ({pue_source})",
    }
    return {name: text for name, text in facts.items() if text}


def device_rows(devices: Mapping[str, DeviceEnergy]) -> list[tuple[str, str, str, str, str]]:
    """Return how the energy of each device was obtained, as :data:`DEVICE_COLUMNS` says.

    Args:
        devices: Energy by device, of a record or a run.
    """
    return [
        (
            name,
            device.component,
            "not measured" if device.joules is None else METHOD_WORDS[device.method],
            f"± {percent(device.tolerance)}" if device.tolerance else "not stated",
            ", ".join(device.flags),
        )
        for name, device in devices.items()
    ]


def _watt_hours(kwh: float) -> str:
    """Write an energy in Wh, the unit of the charts."""
    return f"{significant(1000.0 * kwh)} Wh"


def _known(value: float | None, write: Callable[[float], str]) -> str:
    return "not known" if value is None else write(value)

"""The numbers of a record under the metric keys of the package."""

from collections.abc import Iterable
from math import isfinite

from green_callbacks.records import EpochRecord, Verdict
from green_callbacks.text import for_terminal
from green_callbacks.units import joules_to_kwh


def scalars(record: EpochRecord, emissions_total_kg: float | None) -> dict[str, float]:
    """Return what is shown of a record, the same in every framework and sink.

    Args:
        record: The record, with its verdicts.
        emissions_total_kg: Emissions of the run with it, in kgCO2e.

    Returns:
        Finite numbers by key: ``green/watts`` and ``green/<component>_watts``, ``green/energy_kwh`` and
        ``green/<component>_energy_kwh``, ``green/emissions_kg``, ``green/emissions_total_kg``,
        ``green/intensity_g_per_kwh``, and the values of the verdicts. What was not measured is not there.
    """
    values: dict[str, float | None] = {
        "green/watts": record.mean_watts,
        "green/energy_kwh": record.energy_kwh,
        "green/emissions_kg": record.emissions_kg,
        "green/emissions_total_kg": emissions_total_kg,
        "green/intensity_g_per_kwh": record.intensity.g_per_kwh,
    }
    watts = ((device.component, device.mean_watts) for device in record.devices.values())
    values |= {f"green/{component}_watts": total for component, total in _sums(watts).items()}
    for component, joules in record.component_joules().items():
        values[f"green/{component}_energy_kwh"] = joules_to_kwh(joules)
    for verdict in record.verdicts:
        values |= _told(verdict)
    # Frameworks print the keys: those of parts and verdicts may be anybody's.
    return {for_terminal(key): value for key, value in values.items() if value is not None and isfinite(value)}


def _told(verdict: Verdict) -> dict[str, float | None]:
    """Return what a policy tells in numbers. It may be a user's, and tell anything."""
    told: dict[str, float | None] = {}
    for key, value in verdict.values.items():
        try:
            told[str(key)] = None if value is None else float(value)
        except (TypeError, ValueError, OverflowError):  # no number: nothing to draw
            continue
    return told


def _sums(pairs: Iterable[tuple[str, float | None]]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for name, value in pairs:
        if value is not None:
            totals[name] = totals.get(name, 0.0) + value
    return totals

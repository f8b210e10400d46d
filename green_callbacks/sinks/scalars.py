"""The numbers of a record under the metric keys of the package."""

from collections.abc import Iterable
from math import isfinite
from typing import Final

from green_callbacks.records import EpochRecord, Verdict
from green_callbacks.text import for_terminal
from green_callbacks.units import joules_to_kwh

MAIN: Final = "green/"
"""Begins the keys of what people look for first."""

DETAIL: Final = "green_detail/"
"""Begins the keys of all else, which TensorBoard shows as a group of its own below."""

_SMALLER: Final = {"kg": "g", "kwh": "wh"}
"""What charts and bars show in place of the units of the ledger: a thousandth of each."""

_DETAILS: Final = frozenset(
    MAIN + name
    for name in (
        "budget_share",
        "forecast_g",
        "forecast_low_g",
        "forecast_high_g",
        "gain_on_doubling",
        "gain_per_kwh",
    )
)
"""What verdicts of ours tell that is shown as a detail."""

_LEFT_OUT: Final = frozenset({f"{MAIN}forecast_wh"})
"""What verdicts of ours tell that only the ledger keeps: it differs from another number by a factor."""


def is_ours(key: str) -> bool:
    """Tell whether a metric key is one of the package.

    Args:
        key: The key.
    """
    return key.startswith((MAIN, DETAIL))


def scalars(
    record: EpochRecord,
    emissions_total_kg: float | None,
    low_kg: float | None = None,
    high_kg: float | None = None,
) -> dict[str, float]:
    """Return what is shown of a record, the same in every framework and sink.

    Args:
        record: The record, with its verdicts.
        emissions_total_kg: Emissions of the run with it, in kgCO2e.
        low_kg: What these are at least.
        high_kg: What these are at most.

    Returns:
        Finite numbers by key, in g, Wh, W and percent. First what people look for: ``green/emissions_total_g``,
        ``green/emissions_g``, ``green/energy_wh``, ``green/watts``, ``green/gpu_watts``, ``green/measured_percent``,
        and of the verdicts ``green/budget_left_g`` and ``green/gain_per_kg``. Then details: where there is more than
        one component, ``green_detail/<component>_watts`` and ``green_detail/<component>_energy_wh``;
        ``green_detail/intensity_g_per_kwh``; ``green_detail/emissions_total_low_g`` and ``…_high_g``; forecasts and
        other gains. What was not measured is not there.
    """
    share = record.measured_share
    values: dict[str, float | None] = {
        "green/emissions_total_kg": emissions_total_kg,
        "green/emissions_kg": record.emissions_kg,
        "green/energy_kwh": record.energy_kwh,
        "green/watts": record.mean_watts,
        "green/measured_percent": None if share is None else 100.0 * share,
    }
    values |= _components(record)
    values |= {
        "green_detail/emissions_total_low_kg": low_kg,
        "green_detail/emissions_total_high_kg": high_kg,
        "green_detail/intensity_g_per_kwh": record.intensity.g_per_kwh,
    }
    for verdict in record.verdicts:
        values |= _told(verdict)
    shown = dict(_shown(key, value) for key, value in values.items() if value is not None)
    # Frameworks print the keys: those of parts and verdicts may be anybody's.
    return {
        for_terminal(_grouped(key)): value for key, value in shown.items() if isfinite(value) and key not in _LEFT_OUT
    }


def _components(record: EpochRecord) -> dict[str, float | None]:
    """Return power and energy by component; where there is a single one, they are those of the record."""
    watts = _sums((device.component, device.mean_watts) for device in record.devices.values())
    values: dict[str, float | None] = {f"{MAIN}gpu_watts": watts.pop("gpu")} if "gpu" in watts else {}
    if len({device.component for device in record.devices.values()}) > 1:
        values |= {f"{DETAIL}{component}_watts": total for component, total in watts.items()}
        joules = record.component_joules()
        values |= {f"{DETAIL}{component}_energy_kwh": joules_to_kwh(total) for component, total in joules.items()}
    return values


def _shown(key: str, value: float) -> tuple[str, float]:
    """Return an amount in the unit that people read: g for kg, Wh for kWh. Prices and rates stay as they are."""
    for unit, smaller in _SMALLER.items():
        if is_ours(key) and key.endswith(f"_{unit}") and not key.endswith(f"_per_{unit}"):
            return f"{key.removesuffix(unit)}{smaller}", 1000.0 * value
    return key, value


def _grouped(key: str) -> str:
    return DETAIL + key.removeprefix(MAIN) if key in _DETAILS else key


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

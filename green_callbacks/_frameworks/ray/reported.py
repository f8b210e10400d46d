"""The totals in a result of Ray Tune."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from green_callbacks.accountant import EnergyAccountant
from green_callbacks.units import Quantity, finite_number

RUN_ID: Final = "green/run_id"
_KEYS: Final[dict[Quantity, tuple[tuple[str, str, float], ...]]] = {
    "emissions_kg": (
        ("green/emissions_total_g", "green/emissions_g", 1e-3),
        ("green/emissions_total_kg", "green/emissions_kg", 1.0),
    ),
    "facility_kwh": (
        ("green/facility_energy_total_wh", "green/energy_wh", 1e-3),
        ("green/facility_energy_total_kwh", "green/energy_kwh", 1.0),
    ),
}
"""Keys of the total and of the last epoch, and their unit in kg or kWh, by what a budget counts."""


class Reported(NamedTuple):
    """What a result says of the spending of its run, in kgCO2e or kWh.

    Attributes:
        total: Total of the run.
        latest: Part of the last epoch, or None. For energy it lacks the PUE.
        run_id: Name of the run, or an empty text.
    """

    total: float
    latest: float | None
    run_id: str


def read_result(result: Mapping[str, Any], quantity: Quantity) -> Reported | None:
    """Return what a result says of the spending, or None if it says nothing.

    Args:
        result: The result, flat or with a mapping under ``green``.
        quantity: What the budget counts.
    """
    for total_key, latest_key, unit in _KEYS[quantity]:
        total, latest = _amount(result, total_key, unit), _amount(result, latest_key, unit)
        if total is not None:
            name = _value(result, RUN_ID)
            return Reported(total, latest, name if isinstance(name, str) else "")
    return None


def main_key(quantity: Quantity) -> str:
    """Return the key of the total that our callbacks report.

    Args:
        quantity: What the budget counts.
    """
    return _KEYS[quantity][0][0]


def totals(accountant: EnergyAccountant) -> dict[str, float | str]:
    """Return the totals of a run up to its last record, under the keys that :class:`SearchBudget` reads.

    Call it after ``accountant.end_epoch()``, or else the open epoch is not part of the totals.

    Args:
        accountant: The accountant of the run.

    Returns:
        Emissions in g and energy in Wh, of the run and of its last record, and the name of the run. An amount that was
        not measured is left out. Without any record there are no amounts.

    Example:
        >>> from green_callbacks import EnergyAccountant
        >>> totals(EnergyAccountant(ledger=False))
        {}
    """
    history = accountant.history
    if not history:
        return {}
    latest = history[-1]
    wh = None if latest.energy_kwh is None else 1e3 * latest.energy_kwh
    grams = None if latest.emissions_kg is None else 1e3 * latest.emissions_kg
    values: dict[str, float | str | None] = {
        "green/emissions_total_g": 1e3 * history.emissions_kg,
        "green/emissions_g": grams,
        "green/facility_energy_total_wh": 1e3 * history.facility_kwh,
        "green/energy_wh": wh,
        RUN_ID: accountant.run_id,
    }
    return {key: value for key, value in values.items() if value is not None}


def _value(result: Mapping[str, Any], key: str) -> object:
    nested = result.get("green")
    if key not in result and isinstance(nested, Mapping):
        return nested.get(key.removeprefix("green/"))
    return result.get(key)


def _amount(result: Mapping[str, Any], key: str, unit: float) -> float | None:
    try:
        amount = unit * finite_number(_value(result, key))
    except ValueError:
        return None
    return amount if amount >= 0 else None

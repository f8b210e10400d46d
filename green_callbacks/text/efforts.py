"""What training took per unit of work, in words."""

from typing import Final

from green_callbacks.records import Effort, Ratio
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.text.wording import significant
from green_callbacks.units import GRAMS_PER_KG, joules_to_kwh

_CLOSE: Final = 0.005
"""Relative distance of a bound below which three digits do not show it. By the number of digits."""
_SMALL_UNITS: Final = {"J": 1.0, "mJ": 1e3, "µJ": 1e6}
"""Units of less than 1 J, each with its number in 1 J (SI prefixes)."""
_LEAST_SHOWN: Final = 0.01
"""Number from which on a unit is used, by convention. Smaller numbers get the next unit."""


def energy_of_one(ratio: Ratio, after: str = "") -> str:
    """Write the energy of one unit, with its bounds if they differ from it.

    Args:
        ratio: The energy, in J.
        after: Words between the energy and its bounds. Defaults to none.

    Example:
        >>> energy_of_one(Ratio(0.25, 0.2, 0.3)), energy_of_one(Ratio(0.25, 0.25, 0.25))
        ('0.250 J (0.200 J to 0.300 J)', '0.250 J')
        >>> energy_of_one(Ratio(0.0036, 0.0036, 0.0036)), energy_of_one(Ratio(4e-6, 4e-6, 4e-6))
        ('3.60 mJ', '4.00 µJ')
    """
    return _with_bounds(ratio, [_energy(each) for each in ratio], after)


def emissions_of_one(ratio: Ratio) -> str:
    """Write the emissions of one unit, with their bounds if they differ from them.

    Args:
        ratio: The emissions, in gCO2e.
    """
    return _with_bounds(ratio, [format_mass(each / GRAMS_PER_KG) for each in ratio])


def effort_facts(effort: Effort) -> dict[str, str]:
    """Return what training took per unit of work, as labels and values. Unknown ratios are left out.

    Args:
        effort: The effort of a run.

    Example:
        >>> from green_callbacks.records import Work
        >>> effort_facts(Effort(steps=Work(10.0, 5.0, 5.0, 5.0)))
        {'training per step': '0.500 J'}
    """
    energies = {
        "training per step": effort.joules_per_step,
        "training per sample": effort.joules_per_sample,
        "training per token": effort.joules_per_token,
    }
    facts = {label: energy_of_one(ratio) for label, ratio in energies.items() if ratio is not None}
    grams = effort.grams_per_exaflop
    return facts if grams is None else {**facts, "training per exaFLOP (CO2e)": emissions_of_one(grams)}


def _with_bounds(ratio: Ratio, texts: list[str], after: str = "") -> str:
    value, low, high = texts
    is_close = max(abs(ratio.high - ratio.value), abs(ratio.value - ratio.low)) <= _CLOSE * abs(ratio.value)
    return value + after if is_close else f"{value}{after} ({low} to {high})"


def _energy(joules: float) -> str:
    if joules >= 1:
        return format_energy(joules_to_kwh(joules))
    for unit, factor in _SMALL_UNITS.items():
        if joules * factor >= _LEAST_SHOWN:
            return f"{significant(joules * factor)} {unit}"
    return f"{significant(joules)} J"

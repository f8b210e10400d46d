"""Amounts in the few digits and the units of the page, whose script writes the amounts that follow a what-if alike."""

from math import log10
from typing import Final

__all__ = ["energy_text", "mass_text", "share_text"]

_UNKNOWN: Final = "\N{EN DASH}"
"""Text of an amount that is not known, as in the table."""

_MOST_POWER: Final = 15
"""Largest power of ten that is written in full. The script of the page has the same."""

_MASSES: Final = ((1e6, "t"), (1e3, "kg"), (1.0, "g"), (1e-3, "mg"), (1e-6, "µg"))
"""Masses of one of each unit, in g. The largest comes first."""

_ENERGIES: Final = ((1e3, "MWh"), (1.0, "kWh"), (1e-3, "Wh"), (1e-6, "mWh"))
"""Energies of one of each unit, in kWh. The largest comes first."""


def mass_text(grams: float | None) -> str:
    """Write a mass with three significant digits.

    Args:
        grams: Mass in g. None if unknown.

    Example:
        >>> mass_text(1500), mass_text(0.0123), mass_text(0)
        ('1.5 kg', '12.3 mg', '0 g')
    """
    return _amount(grams, _MASSES)


def energy_text(kwh: float | None) -> str:
    """Write an energy with three significant digits.

    Args:
        kwh: Energy in kWh. None if unknown.

    Example:
        >>> energy_text(0.25)
        '250 Wh'
    """
    return _amount(kwh, _ENERGIES)


def share_text(share: float | None) -> str:
    """Write a share in percent, with three significant digits.

    Args:
        share: Share from 0 to 1. None if unknown.

    Example:
        >>> share_text(0.954)
        '95.4 %'
    """
    return _amount(share, ((0.01, "%"),))


def _amount(value: float | None, units: tuple[tuple[float, str], ...]) -> str:
    if value is None:
        return _UNKNOWN
    size = abs(float(f"{value:.3g}")) or 1.0
    least, unit = next((each for each in units if size >= each[0]), units[-1])
    return f"{_number(value / least)} {unit}"


def _number(value: float) -> str:
    is_far = value != 0 and abs(log10(abs(value))) > _MOST_POWER
    return f"{value:.2e}" if is_far else f"{float(f'{value:.3g}'):,.10g}"

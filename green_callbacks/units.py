"""The only conversion factors of the package, and the parser of amounts such as ``"500 g"``.

>>> 1.5 * JOULES_PER_KWH
5400000.0
"""

import re
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, Literal

from green_callbacks.errors import UnitError

JOULES_PER_KWH: Final = 3_600_000.0
"""J per kWh, by definition."""
GRAMS_PER_KG: Final = 1_000.0
"""g per kg."""
MILLIGRAMS_PER_KG: Final = 1_000_000.0
"""mg per kg."""
MICROGRAMS_PER_KG: Final = 1_000_000_000.0
"""µg per kg."""
MILLIJOULES_PER_JOULE: Final = 1_000.0
"""mJ per J, the unit of NVIDIA's counters."""
MICROJOULES_PER_JOULE: Final = 1_000_000.0
"""µJ per J, the unit of RAPL."""
MILLIWATTS_PER_WATT: Final = 1_000.0
"""mW per W."""
MICROWATTS_PER_WATT: Final = 1_000_000.0
"""µW per W."""
SECONDS_PER_HOUR: Final = 3_600.0
"""s per h."""
SECONDS_PER_MINUTE: Final = 60
"""s per min."""
MINUTES_PER_HOUR: Final = 60
"""min per h."""

Quantity = Literal["emissions_kg", "facility_kwh"]
"""What an amount counts, in kgCO2e or in kWh."""

_UNITS: Final[dict[str, tuple[Quantity, float]]] = {
    "mg": ("emissions_kg", 1e-6),
    "g": ("emissions_kg", 1 / GRAMS_PER_KG),
    "kg": ("emissions_kg", 1.0),
    "t": ("emissions_kg", 1e3),
    "J": ("facility_kwh", 1 / JOULES_PER_KWH),
    "kJ": ("facility_kwh", 1e3 / JOULES_PER_KWH),
    "MJ": ("facility_kwh", 1e6 / JOULES_PER_KWH),
    "GJ": ("facility_kwh", 1e9 / JOULES_PER_KWH),
    "Wh": ("facility_kwh", 1e-3),
    "kWh": ("facility_kwh", 1.0),
    "MWh": ("facility_kwh", 1e3),
}
_LONGEST_REPR: Final = 60
"""Longest text of a value in a message, in characters."""
_LARGEST_WRITTEN: Final = 10**18
"""Whole numbers up to this one are written out in a message."""
_COMMA: Final = re.compile(r"[+-]?\d+,\d+")
_AMOUNT: Final = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]+)\s*")


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity of emissions or of facility energy.

    Attributes:
        value: The amount, in kgCO2e for ``emissions_kg``, in kWh for ``facility_kwh``.
        quantity: The quantity.

    >>> Amount(0.5, "emissions_kg").value
    0.5
    """

    value: float
    quantity: Quantity


def parse_amount(text: str) -> Amount:
    """Parse an amount of emissions or energy written with its unit.

    Args:
        text: A number and one of mg, g, kg, t (CO2e) or J, kJ, MJ, GJ, Wh, kWh, MWh, e.g. ``"500 g"``.

    Returns:
        The amount in kg or kWh.

    Raises:
        UnitError: The text is not a number followed by a known unit.

    >>> parse_amount("500 g")
    Amount(value=0.5, quantity='emissions_kg')
    """
    match = _AMOUNT.fullmatch(text)
    unit = match and _canonical_unit(match[2])
    if not match or not unit:
        known = ", ".join(_UNITS)
        msg = (
            f"Cannot read {described(text)} as an amount. Write a number and one of {known}, for example '500 g' or "
            f"'2 kWh'{comma_remedy(text)}."
        )
        raise UnitError(msg)
    quantity, factor = _UNITS[unit]
    return Amount(float(match[1]) * factor, quantity)


def _canonical_unit(text: str) -> str | None:
    """Return the unit as the table spells it. Other cases are accepted if they are clear, such as ``KWH`` or ``Kg``.

    The case of a first m must match, because it means milli or mega.
    """
    alike = [unit for unit in _UNITS if unit.lower() == text.lower()]
    return next((unit for unit in alike if unit[0] == text[0] or text[0] not in "mM"), None)


def joules_to_kwh(joules: float) -> float:
    """Convert joules to kilowatt-hours.

    >>> joules_to_kwh(1_800_000.0)
    0.5
    """
    return joules / JOULES_PER_KWH


def kwh_to_joules(kwh: float) -> float:
    """Convert kilowatt-hours to joules.

    >>> kwh_to_joules(0.5)
    1800000.0
    """
    return kwh * JOULES_PER_KWH


def grams_to_kg(grams: float) -> float:
    """Convert grams to kilograms.

    >>> grams_to_kg(250.0)
    0.25
    """
    return grams / GRAMS_PER_KG


def kg_to_grams(kg: float) -> float:
    """Convert kilograms to grams.

    >>> kg_to_grams(0.25)
    250.0
    """
    return kg * GRAMS_PER_KG


def given_number(value: object) -> float:
    """Return a finite number that a user gave as a number or as text.

    Args:
        value: A text such as ``"56.3"``, or a number as in :func:`finite_number`.

    Raises:
        ValueError: The value is no finite number. The message describes it, and explains the decimal point.

    >>> given_number("56.3")
    56.3
    """
    if not isinstance(value, str):
        return finite_number(value)
    try:
        number = float(value)
    except ValueError:
        msg = f"{described(value)} is no number{comma_remedy(value)}"
        raise ValueError(msg) from None
    return finite_number(number)


def comma_remedy(text: str) -> str:
    """Return half a sentence about the decimal point, if a text holds a number with a decimal comma.

    Args:
        text: The value that the user gave.

    >>> comma_remedy("0,5 kg")
    '; with a decimal point, as in 0.5, not a comma'
    """
    found = _COMMA.search(text)
    return f"; with a decimal point, as in {found[0].replace(',', '.')}, not a comma" if found else ""


def finite_number(value: object) -> float:
    """Return a number of any library as a float.

    Numbers of Python, ``decimal`` and ``fractions`` are accepted. So are scalars, and arrays of one element, of NumPy,
    PyTorch and similar libraries. Texts, booleans and complex numbers are refused.

    Args:
        value: The value that the user gave.

    Raises:
        ValueError: The value is no finite real number. The message describes it.

    >>> from fractions import Fraction
    >>> finite_number(Fraction(1, 4))
    0.25
    """
    if type(value) is float and isfinite(value):
        return value
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    # NumPy's kinds of whole and floating numbers. V is the kind of short floats that other libraries add.
    plain = _plain(value) if kind in "iufV" else None
    if plain is None or isinstance(plain, bool | str | bytes | bytearray | complex):
        msg = f"{described(value)} is no number"
        raise ValueError(msg)
    try:
        number = float(plain)
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        msg = f"{described(value)} is no number"
        raise ValueError(msg) from error
    if not isfinite(number):
        msg = f"{described(value)} is not finite"
        raise ValueError(msg)
    return number


def _plain(value: object) -> Any:  # noqa: ANN401  a number of any library
    """Return the only element of an array or a tensor as a number of Python. Other values are returned unchanged."""
    if not hasattr(value, "item"):
        return value
    try:
        return value.item()
    except (TypeError, ValueError, RuntimeError) as error:  # several elements, or a tensor without data
        msg = f"{described(value)} is no number"
        raise ValueError(msg) from error


def described(value: object) -> str:
    """Describe a value in a few words for a message, because its text may be very long.

    Args:
        value: Any value.

    >>> described(list(range(1000)))
    'a value of type list'
    """
    if value is None or isinstance(value, bool | float | str):
        return _cut(repr(value))
    if isinstance(value, int) and abs(value) < _LARGEST_WRITTEN:
        return repr(value)
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"a value of type {type(value).__name__}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_REPR else f"{text[: _LONGEST_REPR - 3]}..."

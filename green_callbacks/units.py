"""The only conversion factors of the package, and the parser of amounts such as ``"500 g"``."""

import re
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, Literal

from green_callbacks.errors import UnitError

JOULES_PER_KWH: Final = 3_600_000.0
GRAMS_PER_KG: Final = 1_000.0
MILLIGRAMS_PER_KG: Final = 1_000_000.0
MICROGRAMS_PER_KG: Final = 1_000_000_000.0
MILLIJOULES_PER_JOULE: Final = 1_000.0
MICROJOULES_PER_JOULE: Final = 1_000_000.0
MILLIWATTS_PER_WATT: Final = 1_000.0
MICROWATTS_PER_WATT: Final = 1_000_000.0
SECONDS_PER_HOUR: Final = 3_600.0
SECONDS_PER_MINUTE: Final = 60
MINUTES_PER_HOUR: Final = 60

Quantity = Literal["emissions_kg", "facility_kwh"]

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
"""How many characters of a value are shown in a message."""
_LARGEST_WRITTEN: Final = 10**18
_COMMA: Final = re.compile(r"[+-]?\d+,\d+")
_AMOUNT: Final = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]+)\s*")


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity of emissions or of facility energy.

    Attributes:
        value: The amount, in kgCO2e for ``emissions_kg``, in kWh for ``facility_kwh``.
        quantity: What is counted.
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
    """
    match = _AMOUNT.fullmatch(text)
    unit = match and _canonical_unit(match[2])
    if not match or not unit:
        known = ", ".join(_UNITS)
        msg = (
            f"Cannot read {described(text)} as an amount: write a number and one of {known}, for example '500 g' or "
            f"'2 kWh'{comma_remedy(text)}."
        )
        raise UnitError(msg)
    quantity, factor = _UNITS[unit]
    return Amount(float(match[1]) * factor, quantity)


def _canonical_unit(text: str) -> str | None:
    """Return the unit as spelled in the table; other cases are taken where they leave no doubt (``KWH``, ``Kg``).

    A first m is never taken in the other case: it is milli in one and mega in the other.
    """
    alike = [unit for unit in _UNITS if unit.lower() == text.lower()]
    return next((unit for unit in alike if unit[0] == text[0] or text[0] not in "mM"), None)


def joules_to_kwh(joules: float) -> float:
    """Convert joules to kilowatt-hours."""
    return joules / JOULES_PER_KWH


def kwh_to_joules(kwh: float) -> float:
    """Convert kilowatt-hours to joules."""
    return kwh * JOULES_PER_KWH


def grams_to_kg(grams: float) -> float:
    """Convert grams to kilograms."""
    return grams / GRAMS_PER_KG


def kg_to_grams(kg: float) -> float:
    """Convert kilograms to grams."""
    return kg * GRAMS_PER_KG


def given_number(value: object) -> float:
    """Return a finite number that a user gave, written out or not.

    Args:
        value: A text such as ``"56.3"``, or a number as in :func:`finite_number`.

    Raises:
        ValueError: It is none; the message says what it is, and how to write a decimal comma.
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
    """Return how to write a number that stands in a text with a decimal comma; nothing if none does.

    Args:
        text: The value that the user gave.
    """
    found = _COMMA.search(text)
    return f"; with a decimal point, as in {found[0].replace(',', '.')}, not a comma" if found else ""


def finite_number(value: object) -> float:
    """Return a number that others made as a float.

    Numbers are those of Python, ``decimal`` and ``fractions``, and scalars and arrays of one element of NumPy, PyTorch
    and their kind. Texts, truth values and complex numbers are none.

    Args:
        value: The value that the user gave.

    Raises:
        ValueError: It is no finite real number; the message says what it is.
    """
    if type(value) is float and isfinite(value):
        return value
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    # NumPy's kinds of whole and floating numbers; V is what it calls the short floats that others add to it.
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


def _plain(value: object) -> Any:  # noqa: ANN401  whatever others call a number
    """Return the one element of an array or a tensor as a number of Python; anything else as it is."""
    if not hasattr(value, "item"):
        return value
    try:
        return value.item()
    except (TypeError, ValueError, RuntimeError) as error:  # several elements, or a tensor without data
        msg = f"{described(value)} is no number"
        raise ValueError(msg) from error


def described(value: object) -> str:
    """Return what a value is in a few words: what others made may be as large as they like.

    Args:
        value: Anything.
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

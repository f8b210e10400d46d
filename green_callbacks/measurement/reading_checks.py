"""Checks of the answers of sources. A wrong reading is replaced by a reading without energy."""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from green_callbacks.records import METHODS, Method, Reading

_MOST: Final = 1e18
"""Upper limit of the energy of a device, in J, and of its unmeasured time, in s. No device reaches it."""
_LONGEST_REASON: Final = 200
"""Longest text about an impossible field, in characters."""
_NUMBERS: Final = (
    "below_joules",
    "above_joules",
    "tolerance",
    "gap_seconds",
    "lag_joules",
    "walk_square_joules",
)
"""Fields that hold numbers of at least 0."""


def checked_readings(readings: object) -> Mapping[str, Reading]:
    """Check the answer of a source.

    Args:
        readings: Its answer, of any type.

    Returns:
        The readings by device. A reading with impossible numbers becomes a reading without energy, with the reason.

    Raises:
        TypeError: The answer is no mapping of names to readings.
    """
    if not isinstance(readings, Mapping):
        msg = f"read() returned {type(readings).__name__}. Return a mapping of device names to Reading."
        raise TypeError(msg)
    for name, reading in readings.items():
        if not _is_sound(name, reading):
            return {str(each): _checked(str(each), said) for each, said in readings.items()}
    return readings


def _is_sound(name: object, reading: object) -> bool:
    """Return whether a reading needs no change. It takes a microsecond."""
    if type(name) is not str or type(reading) is not Reading:
        return False
    joules, component, method, below, above, tolerance, gap, flags, reason, lag, walk = reading
    try:
        total = (0.0 if joules is None else abs(joules)) + below + above + tolerance + gap + lag + walk
        return (
            type(below)
            is type(above)
            is type(tolerance)
            is type(gap)
            is type(lag)
            is type(walk)
            is type(total)
            is float
            and total < _MOST
            and below >= 0.0
            and above >= 0.0
            and tolerance >= 0.0
            and gap >= 0.0
            and lag >= 0.0
            and walk >= 0.0
            and method in METHODS
            and type(component) is str
            and type(flags) is tuple
            and (joules is None or type(joules) is float)
            and (reason is None or type(reason) is str)
        )
    except (TypeError, ValueError, OverflowError):  # a number of another library, or no number
        return False


def _checked(name: str, reading: object) -> Reading:
    """Return a reading with its values as plain types, or a reading without energy that says what is wrong."""
    if not isinstance(reading, Reading):
        msg = f"read() returned {type(reading).__name__} for {name}. Return a Reading."
        raise TypeError(msg)
    numbers = {field: _number(getattr(reading, field)) for field in _NUMBERS}
    joules = None if reading.joules is None else _number(reading.joules)
    wrong = [field for field in ("component", "method") if not isinstance(getattr(reading, field), str)]
    wrong += [field for field, value in numbers.items() if value is None or value < 0]
    if joules is None and reading.joules is not None:
        wrong.append("joules")
    if reading.method not in METHODS:
        wrong.append("method")
    reason = None if reading.reason is None else str(reading.reason)
    if wrong:
        return _refused(reading, wrong[0], reason)
    return Reading(
        joules=joules,
        component=reading.component,
        method=reading.method,
        flags=tuple(map(str, reading.flags)),
        reason=reason,
        **{field: value or 0.0 for field, value in numbers.items()},
    )


def _refused(reading: Reading, field: str, reason: str | None) -> Reading:
    """Return a reading without energy in the place of a reading with an impossible field."""
    said = f"{field} is {_shown(getattr(reading, field))}"[:_LONGEST_REASON]
    method: Method = reading.method if reading.method in METHODS else "modelled"
    reason = reason or f"its reading cannot be: {said}"
    return Reading(joules=None, component=str(reading.component), method=method, reason=reason)


def _shown(value: object) -> str:
    try:
        return repr(value)
    # repr() runs other people's code too.
    except Exception:  # noqa: BLE001
        return f"a {type(value).__name__}"


def _number(value: Any) -> float | None:  # noqa: ANN401  of any library, or none
    """Return a number of any library as a float, or None if it is no finite number."""
    try:
        number = float(value)
    # Converting runs other people's code, which may raise anything. Then the value is no number.
    except Exception:  # noqa: BLE001
        return None
    return number if isfinite(number) and abs(number) < _MOST else None

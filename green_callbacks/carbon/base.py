"""The contracts of providers of carbon intensity, and the check of their answers."""

from datetime import datetime
from math import inf
from operator import index
from typing import Final, Protocol, SupportsIndex, TypeGuard, cast, runtime_checkable

from green_callbacks.errors import ConfigurationError
from green_callbacks.records import Intensity
from green_callbacks.records.intensity import FoundBy
from green_callbacks.units import finite_number

MAX_G_PER_KWH: Final = 1_500.0
"""Upper limit of a carbon intensity, in gCO2e/kWh. The dirtiest grids of the tables stay below 1,310."""
_LONGEST_TEXT: Final = 500
"""Longest text of an intensity, in characters. Every record holds these texts."""
_MOST_FLAGS: Final = 20
"""Largest number of flags of an intensity. Every record holds them."""

_LAST_YEAR: Final = 9_999
"""Last year of Python's calendar."""
_TEXTS: Final = ("zone", "name", "scope", "basis", "licence")


@runtime_checkable
class CarbonIntensity(Protocol):
    """The carbon intensity of the electricity over time.

    A class whose ``at`` and ``over`` only read memory of this process may set ``is_instant = True`` in its own body.
    Every other provider is asked on a separate thread, so that training need not wait.

    Example:
        >>> from green_callbacks.carbon import ConstantIntensity
        >>> isinstance(ConstantIntensity.given(35.5), CarbonIntensity)
        True
    """

    def at(self, when: datetime) -> Intensity:
        """Return the intensity at a time.

        The method never waits and never raises. A provider that asks a service does so elsewhere, and returns the last
        known value here.

        Args:
            when: Time of day, aware.
        """
        ...


@runtime_checkable
class VaryingIntensity(CarbonIntensity, Protocol):
    """A carbon intensity that can change within a record.

    Example:
        >>> from green_callbacks.carbon import ConstantIntensity
        >>> isinstance(ConstantIntensity.given(35.5), VaryingIntensity)
        False
    """

    def over(self, start: datetime, end: datetime) -> Intensity:
        """Return the mean over an interval, weighted by time.

        The method never waits and never raises.

        Args:
            start: Beginning, aware.
            end: End, aware. An end that is not after the beginning counts as the beginning.
        """
        ...


@runtime_checkable
class PolledIntensity(CarbonIntensity, Protocol):
    """A carbon intensity that asks a service from time to time, on the worker's thread.

    The accountant calls :meth:`poll` at the start and then every :attr:`poll_seconds`, never on the training thread. A
    provider that is not polled still answers, with a substitute for the value that it does not know.

    Attributes:
        poll_seconds: Time between two calls, in s. Most calls find nothing to ask, and return at once.

    Example:
        >>> from green_callbacks.carbon import ConstantIntensity
        >>> isinstance(ConstantIntensity.given(35.5), PolledIntensity)
        False
    """

    poll_seconds: float

    def poll(self) -> None:
        """Ask the service if it is time to. The call may take a few seconds. It never raises when the service fails."""
        ...


def is_varying(provider: CarbonIntensity) -> TypeGuard[VaryingIntensity]:
    """Return whether a provider can give its mean over an interval.

    The check is fast, because every edge of an epoch needs it.

    Args:
        provider: The intensity over time.

    Example:
        >>> from green_callbacks.carbon import ConstantIntensity
        >>> is_varying(ConstantIntensity.given(35.5))
        False
    """
    return hasattr(provider, "over")  # isinstance() with a protocol takes ten times as long as all else at an edge


def mean_intensity(provider: CarbonIntensity, start: datetime, end: datetime) -> Intensity:
    """Return the mean of a provider over an interval.

    A varying intensity is weighted by time. Any other intensity counts as it is in the middle of the interval.

    Args:
        provider: The intensity over time.
        start: Beginning, aware.
        end: End, aware.

    Example:
        >>> from datetime import UTC, datetime
        >>> from green_callbacks.carbon import ConstantIntensity
        >>> start, end = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC)
        >>> mean_intensity(ConstantIntensity.given(35.5), start, end).g_per_kwh
        35.5
    """
    return provider.over(start, end) if is_varying(provider) else provider.at(start + (end - start) / 2)


def checked_intensity(answer: object) -> Intensity:
    """Return the answer of a provider as an intensity that a record can hold.

    Numbers of any kind, such as NumPy's, PyTorch's and ``decimal``'s, become floats.

    Args:
        answer: Result of ``at`` or ``over``.

    Returns:
        The answer itself if it is valid, or a copy with plain numbers and texts.

    Raises:
        ConfigurationError: The answer is no :class:`~green_callbacks.records.Intensity`, or one of its texts is none.
            Or a number is negative, not finite, beyond any grid, or outside its bounds. The message is one sentence.

    Example:
        >>> checked_intensity(Intensity(g_per_kwh=330, source="mine", found_by="provider")).g_per_kwh
        330.0
    """
    if not isinstance(answer, Intensity):
        msg = f"A provider of carbon intensity must return an Intensity, not a value of type {type(answer).__name__}."
        raise ConfigurationError(msg)
    if not _is_plain(answer):
        answer = _plain(answer)
    value, low, high = answer.g_per_kwh, answer.lowest_g_per_kwh, answer.highest_g_per_kwh
    if not 0 <= value < MAX_G_PER_KWH:
        msg = f"A carbon intensity is a number of gCO2e/kWh from 0 to {MAX_G_PER_KWH:.0f}, not {value:g}."
        raise ConfigurationError(msg)
    if not 0 <= low <= value <= high < inf:
        msg = f"The bounds of a carbon intensity must hold it, unlike {low:g} to {high:g} gCO2e/kWh for {value:g}."
        raise ConfigurationError(msg)
    return answer


def _is_plain(answer: Intensity) -> bool:
    """Return whether every part has exactly the right type.

    It is one expression, because every edge of an epoch needs it and this is fast.
    """
    return (
        type(answer) is Intensity
        and type(answer.g_per_kwh) is float
        and (answer.low_g_per_kwh is None or type(answer.low_g_per_kwh) is float)
        and (answer.high_g_per_kwh is None or type(answer.high_g_per_kwh) is float)
        and (answer.year is None or (type(answer.year) is int and 0 < answer.year <= _LAST_YEAR))
        and type(answer.source) is str
        and type(answer.found_by) is str
        and len(answer.source) <= _LONGEST_TEXT
        and len(answer.found_by) <= _LONGEST_TEXT
        and all(_is_text_or_none(getattr(answer, name)) for name in _TEXTS)
        and type(answer.flags) is tuple
        and len(answer.flags) <= _MOST_FLAGS
        and all(type(flag) is str and len(flag) <= _LONGEST_TEXT for flag in answer.flags)
    )


def _is_text_or_none(value: object) -> bool:
    return value is None or (type(value) is str and len(value) <= _LONGEST_TEXT)


def _plain(answer: Intensity) -> Intensity:
    return Intensity(
        g_per_kwh=_number(answer.g_per_kwh, "g_per_kwh"),
        low_g_per_kwh=None if answer.low_g_per_kwh is None else _number(answer.low_g_per_kwh, "low_g_per_kwh"),
        high_g_per_kwh=None if answer.high_g_per_kwh is None else _number(answer.high_g_per_kwh, "high_g_per_kwh"),
        year=_year(answer.year),
        source=_text(answer.source, "source"),
        found_by=cast("FoundBy", _text(answer.found_by, "found_by")),  # a provider may use a word of its own
        flags=_flags(answer.flags),
        **{name: _text_or_none(getattr(answer, name), name) for name in _TEXTS},
    )


def _number(value: object, name: str) -> float:
    try:
        return finite_number(value)
    except ValueError as error:
        msg = f"{name} of a carbon intensity must be a number of gCO2e/kWh, but {error}."
        raise ConfigurationError(msg) from error


def _year(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, SupportsIndex) and not isinstance(value, bool) and 0 < index(value) <= _LAST_YEAR:
        return index(value)
    msg = f"year of a carbon intensity must be a whole number from 1 to {_LAST_YEAR}, or None."
    raise ConfigurationError(msg)


def _text_or_none(value: object, name: str) -> str | None:
    return None if value is None else _text(value, name)


def _text(value: object, name: str) -> str:
    if isinstance(value, str) and len(value) <= _LONGEST_TEXT:
        return str.__str__(value)
    msg = f"{name} of a carbon intensity must be a text of at most {_LONGEST_TEXT} characters."
    raise ConfigurationError(msg)


def _flags(value: object) -> tuple[str, ...]:
    if isinstance(value, tuple | list) and len(value) <= _MOST_FLAGS:
        return tuple(_text(flag, "Each flag") for flag in value)
    msg = f"flags of a carbon intensity must be a tuple of at most {_MOST_FLAGS} texts."
    raise ConfigurationError(msg)

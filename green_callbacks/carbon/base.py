"""What every provider of carbon intensity promises."""

from datetime import datetime
from math import inf
from operator import index
from typing import Final, Protocol, SupportsIndex, TypeGuard, cast, runtime_checkable

from green_callbacks.errors import ConfigurationError
from green_callbacks.records import Intensity
from green_callbacks.records.intensity import FoundBy
from green_callbacks.units import finite_number

MAX_G_PER_KWH: Final = 1_500.0
"""No grid emits as much: the dirtiest of the tables stay below 1,310 gCO2e/kWh."""
_LONGEST_TEXT: Final = 500
"""How many characters a text of an intensity has at most: it stands in every record."""
_MOST_FLAGS: Final = 20
_LAST_YEAR: Final = 9_999
"""The last year that Python's calendar knows."""
_TEXTS: Final = ("zone", "name", "scope", "basis", "licence")


@runtime_checkable
class CarbonIntensity(Protocol):
    """The carbon intensity of the electricity used, over time.

    A class whose ``at`` and ``over`` only look at memory of this process may say so by ``is_instant = True`` in its own
    body. Every other provider is asked on a thread that training need not wait for.
    """

    def at(self, when: datetime) -> Intensity:
        """Return the intensity at a time.

        Never waits and never raises: a provider that asks others does so elsewhere and answers with the last it knows.

        Args:
            when: Time of day, aware.
        """
        ...


@runtime_checkable
class VaryingIntensity(CarbonIntensity, Protocol):
    """A carbon intensity that changes while a record lasts."""

    def over(self, start: datetime, end: datetime) -> Intensity:
        """Return the mean over an interval, weighted by time.

        Never waits and never raises.

        Args:
            start: Beginning, aware.
            end: End, aware; what is not after the beginning counts as the beginning.
        """
        ...


@runtime_checkable
class PolledIntensity(CarbonIntensity, Protocol):
    """A carbon intensity that others must be asked for, on the worker's thread.

    Whoever accounts calls :meth:`poll` once at the start and then every :attr:`poll_seconds`, never on the thread that
    trains. A provider that is not polled answers all the same, with what stands in for what it does not know.

    Attributes:
        poll_seconds: Time between two calls, in s. Most calls find that there is nothing to ask yet, and return.
    """

    poll_seconds: float

    def poll(self) -> None:
        """Ask, if it is time to; may wait for a few seconds, and never raises for what others do."""
        ...


def is_varying(provider: CarbonIntensity) -> TypeGuard[VaryingIntensity]:
    """Return whether a provider tells its mean over an interval; asked at every edge of an epoch.

    Args:
        provider: The intensity over time.
    """
    return hasattr(provider, "over")  # isinstance() with a protocol takes ten times as long as all else at an edge


def mean_intensity(provider: CarbonIntensity, start: datetime, end: datetime) -> Intensity:
    """Return a provider's mean over an interval: weighted by time where it varies, else as it is in the middle.

    Args:
        provider: The intensity over time.
        start: Beginning, aware.
        end: End, aware.
    """
    return provider.over(start, end) if is_varying(provider) else provider.at(start + (end - start) / 2)


def checked_intensity(answer: object) -> Intensity:
    """Return what a provider answered as an intensity that a record can hold.

    Numbers of any kind, such as NumPy's, PyTorch's and ``decimal``'s, become floats.

    Args:
        answer: What ``at`` or ``over`` returned.

    Returns:
        The answer itself if it is as it should be, else a copy with plain numbers and texts.

    Raises:
        ConfigurationError: It is no :class:`~green_callbacks.records.Intensity`; a number is negative, not finite, or
            beyond what any grid emits; low, value and high are not in this order; or a text is none. The message is
            one sentence.
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
    """Return whether every part is of the very type that it should be; asked at every edge, so in one expression."""
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
        found_by=cast("FoundBy", _text(answer.found_by, "found_by")),  # a provider may call it what it likes
        flags=_flags(answer.flags),
        **{name: _text_or_none(getattr(answer, name), name) for name in _TEXTS},
    )


def _number(value: object, name: str) -> float:
    try:
        return finite_number(value)
    except ValueError as error:
        msg = f"{name} of a carbon intensity must be a number of gCO2e/kWh: {error}."
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

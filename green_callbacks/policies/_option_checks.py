"""Checks of the options of a policy."""

from typing import Any

from green_callbacks.errors import ConfigurationError
from green_callbacks.units import comma_remedy, described


def number(name: str, value: object) -> float:
    """Return an option as a number, whatever numeric type it has.

    Args:
        name: Name of the option.
        value: Value of the option.

    Raises:
        ConfigurationError: The value is not a number.
    """
    given: Any = None if isinstance(value, bool | bytes) else value
    try:
        return float(given)
    except (TypeError, ValueError, ArithmeticError, RuntimeError):
        remedy = comma_remedy(value) if isinstance(value, str) else ""
        msg = f"{name} is {described(value)}. Write a number{remedy}."
        raise ConfigurationError(msg) from None


def flag(name: str, value: object) -> None:
    """Refuse an option that is neither True nor False. Otherwise a text such as ``"no"`` would count as True.

    Args:
        name: Name of the option.
        value: Value of the option.

    Raises:
        ConfigurationError: The value is neither True nor False.
    """
    if not isinstance(value, bool):
        msg = f"{name} is {described(value)}. Write True or False."
        raise ConfigurationError(msg)


def landing_share(value: object) -> float:
    """Return the option ``landing`` as a number.

    Args:
        value: Value of the option.

    Raises:
        ConfigurationError: The value is not a number from 0 to 1.
    """
    share = number("landing", value)
    if not 0 <= share <= 1:
        msg = f"landing is {described(value)}. Give a share of the run so far, at most 1, such as 0.2. 0 is no landing."
        raise ConfigurationError(msg)
    return share

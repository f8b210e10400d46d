"""The options of a rule, checked where they are given."""

from typing import Any

from green_callbacks.errors import ConfigurationError
from green_callbacks.units import comma_remedy, described


def number(name: str, value: object) -> float:
    """Take an option as a number, of whatever kind it is.

    Args:
        name: Name of the option.
        value: What was given for it.

    Raises:
        ConfigurationError: It is no number.
    """
    given: Any = None if isinstance(value, bool | bytes) else value
    try:
        return float(given)
    except (TypeError, ValueError, ArithmeticError, RuntimeError):
        remedy = comma_remedy(value) if isinstance(value, str) else ""
        msg = f"{name} is {described(value)}: write a number{remedy}."
        raise ConfigurationError(msg) from None


def flag(name: str, value: object) -> None:
    """Refuse what is neither True nor False: a text such as ``"no"`` would be taken for True.

    Args:
        name: Name of the option.
        value: What was given for it.

    Raises:
        ConfigurationError: It is neither.
    """
    if not isinstance(value, bool):
        msg = f"{name} is {described(value)}: write True or False."
        raise ConfigurationError(msg)

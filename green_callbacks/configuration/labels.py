"""Labels of a run, from a table, an option or the text of a variable."""

from collections.abc import Mapping
from typing import Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.units import described

MOST_LABELS: Final = 50
"""Largest number of labels, so that the first line of a ledger stays short."""
_LONGEST_LABEL: Final = 200
"""Largest length of a label and of its name, in characters."""


def checked_labels(given: object, what: str) -> dict[str, str]:
    """Return labels, as texts by name.

    A whole number becomes a text, because seeds are numbers.

    Args:
        given: The value that the user gave.
        what: Where the user gave it, such as ``labels=``.

    Raises:
        ConfigurationError: The value holds anything but texts, or too much.

    Example:
        >>> checked_labels({"team": "vision"}, "labels=")
        {'team': 'vision'}
    """
    if isinstance(given, Mapping):
        given = {name: str(label) if type(label) is int else label for name, label in given.items()}
    if not isinstance(given, Mapping) or not all(isinstance(each, str) for pair in given.items() for each in pair):
        msg = f"{what} takes texts by name, such as {{'team': 'vision'}}: {_not_a_text(given)}."
        raise ConfigurationError(msg)
    if any(len(each) > _LONGEST_LABEL for pair in given.items() for each in pair) or len(given) > MOST_LABELS:
        msg = f"{what} takes at most {MOST_LABELS} texts of at most {_LONGEST_LABEL} characters each."
        raise ConfigurationError(msg)
    return dict(given)


def parsed_labels(text: str, variable: str) -> dict[str, str]:
    """Parse the labels of a variable, such as ``team=vision,env=prod``.

    Args:
        text: The value of the variable.
        variable: Its name.

    Raises:
        ConfigurationError: The text cannot be parsed.
    """
    found: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, sign, label = (each.strip() for each in part.partition("="))
        if not sign or not name or "=" in label:  # team=a;env=b is no label of the text a;env=b
            msg = f"{variable} holds {described(part)}. Write names and texts, as in team=vision,env=prod."
            raise ConfigurationError(msg)
        if name in found:
            msg = f"{variable} holds two labels {described(name)}. Keep one of them."
            raise ConfigurationError(msg)
        found[name] = label
    return checked_labels(found, variable)


def _not_a_text(given: object) -> str:
    if not isinstance(given, Mapping):
        return f"{described(given)} is no mapping"
    found = next(each for pair in given.items() for each in pair if not isinstance(each, str))
    return f"{described(found)} is no text"

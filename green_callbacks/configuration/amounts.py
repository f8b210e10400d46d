"""Budgets, projects and folders in the settings, checked where they come in."""

import os
from math import isfinite

from green_callbacks.configuration.settings import NONE
from green_callbacks.errors import ConfigurationError, UnitError
from green_callbacks.units import described, parse_amount


def checked_budget(text: str, where: str) -> str:
    """Return an amount with its unit, or an empty text for none.

    Args:
        text: The amount, such as ``"500 g"``, or ``"none"``.
        where: Where the user gave it.

    Raises:
        ConfigurationError: The text is no amount above 0. The message names the place.
    """
    if text.strip().lower() == NONE:
        return ""
    try:
        amount = parse_amount(text)
    except UnitError as fault:
        msg = f"{fault} The value comes from {where}."
        raise UnitError(msg) from fault
    if not (isfinite(amount.value) and amount.value > 0):
        msg = f"{where} is {described(text)}. A budget must be above 0, and finite. Write 'none' for none."
        raise ConfigurationError(msg)
    return text.strip()


def checked_path(text: str, where: str) -> str:
    """Return a path with ``~`` replaced by the home folder, or an empty text for none.

    Args:
        text: The path, or ``"none"``.
        where: Where the user gave it.

    Raises:
        ConfigurationError: The text is no path on this machine. The message names the place.
    """
    if text.strip().lower() == NONE:
        return ""
    if not text.strip() or "\0" in text or "://" in text:
        msg = f"{where} is {described(text)}. Name a folder on this machine, or write 'none' for none."
        raise ConfigurationError(msg)
    return os.path.expanduser(text.strip())  # noqa: PTH111  Path's raises where there is no home


def checked_registry(text: str, where: str) -> str:
    """Return the URL of a registry, or an empty text for none. Whoever opens it checks the rest.

    The URL may hold a password, so no message repeats it.

    Args:
        text: The URL, or ``"none"``.
        where: Where the user gave it.

    Raises:
        ConfigurationError: The text is no URL. The message names the place.
    """
    if text.strip().lower() == NONE:
        return ""
    if "://" not in text or "\0" in text:
        msg = f"{where} is no URL of a database, such as sqlite:////home/ada/budget.db. Or write 'none' for none."
        raise ConfigurationError(msg)
    return text.strip()

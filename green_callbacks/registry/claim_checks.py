"""Refuses claims, totals and limits that no registry may keep."""

from dataclasses import replace
from math import isfinite
from typing import Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.registry.protocol import Claim, Entry
from green_callbacks.units import described

LARGEST_AMOUNT: Final = 1e12
"""Largest amount in kgCO2e or kWh that a registry keeps. All humanity emits about as many kg in a week."""
LONGEST_RUN_ID: Final = 1_000
"""Longest name of a run or of a session, in characters."""
LONGEST_HOST: Final = 255
"""Longest name of a machine, in characters (RFC 1035)."""
LONGEST_PATH: Final = 4_096
"""Longest path of a ledger, in characters (Linux, ``PATH_MAX``)."""


def checked_claim(claim: Claim) -> Claim:
    """Return a claim that a registry may keep.

    Args:
        claim: The claim.

    Returns:
        The claim. An ended claim holds nothing. Long paths and names of machines are cut.

    Raises:
        ConfigurationError: An amount is negative, not finite, too large, or no number, or a name cannot be one.

    Example:
        >>> ended = Claim(run_id="digits", session="a", spent=1.0, under_way=0.5, wanted=0.5, limit=2.0, is_ended=True)
        >>> checked_claim(ended).under_way
        0.0
    """
    check_name("run_id", claim.run_id)
    check_name("session", claim.session)
    for name in ("spent", "under_way", "wanted", "limit"):
        check_amount(name, getattr(claim, name))
    if claim.epoch_cost is not None:
        check_amount("epoch_cost", claim.epoch_cost)
    if claim.is_ended:
        claim = replace(claim, under_way=0.0, wanted=0.0)
    return replace(claim, host=claim.host[:LONGEST_HOST], ledger=claim.ledger[:LONGEST_PATH])


def checked_entry(entry: Entry) -> Entry:
    """Return the total of a run that a registry may keep.

    Args:
        entry: The total.

    Returns:
        The total. Long paths and names of machines are cut.

    Raises:
        ConfigurationError: The amount or the name cannot be one.

    Example:
        >>> checked_entry(Entry("digits", 0.5)).spent
        0.5
    """
    check_name("run_id", entry.run_id)
    check_amount("spent", entry.spent)
    return entry._replace(host=entry.host[:LONGEST_HOST], ledger=entry.ledger[:LONGEST_PATH])


def check_limit(limit: float | None) -> None:
    """Refuse a limit that no budget can have.

    Args:
        limit: The limit in kgCO2e or kWh. None sets no limit.

    Raises:
        ConfigurationError: The limit is not above 0, not finite, or too large.

    Example:
        >>> check_limit(2.0)
    """
    if limit is None:
        return
    check_amount("The limit", limit)
    if limit <= 0:
        msg = f"A budget of {described(limit)} cannot be set. Give an amount above 0."
        raise ConfigurationError(msg)


def check_amount(name: str, amount: object) -> None:
    """Refuse a value that is no amount.

    Args:
        name: Name of the value, for the message.
        amount: The value.

    Raises:
        ConfigurationError: The value is negative, not finite, too large, or no number.

    Example:
        >>> check_amount("spent", 0.5)
    """
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= LARGEST_AMOUNT:
        reason = "is not finite" if isinstance(amount, float) and not isfinite(amount) else "is no amount"
        msg = f"{name} {reason} ({described(amount)}). Give kgCO2e or kWh, from 0 to {LARGEST_AMOUNT:g}."
        raise ConfigurationError(msg)


def check_name(what: str, name: object) -> None:
    """Refuse a value that cannot name a run or a session.

    Args:
        what: What the value should name, for the message.
        name: The value.

    Raises:
        ConfigurationError: The value is no text, is empty, or is too long.

    Example:
        >>> check_name("run_id", "digits")
    """
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_RUN_ID:
        msg = f"{what} is {described(name)}. Give a text of 1 to {LONGEST_RUN_ID:,} characters."
        raise ConfigurationError(msg)

"""The length of a landing, as a policy has asked for it. A policy may be the user's own."""

from green_callbacks.accountant.guarded_calls import quiet_number
from green_callbacks.units import described


def checked_length(asked: object, where: str) -> float:
    """Return the length of a landing as a number.

    Args:
        asked: The length.
        where: Name of the answer, as the subject of a sentence.

    Raises:
        TypeError: The length is no share from 0 to 1. The policy counts as failed.

    Example:
        >>> checked_length(0.2, "decide()")
        0.2
    """
    length = quiet_number(asked)
    if length is None or not 0 <= length <= 1:
        msg = (
            f"{where} asked for a landing of {described(asked)}. Return a share of the steps so far, from 0 to 1, "
            "or None for no landing."
        )
        raise TypeError(msg)
    return length

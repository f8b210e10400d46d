"""The time from which a summary counts runs."""

import argparse
import re
from datetime import datetime, timedelta
from typing import Final

_AGE: Final = re.compile(r"(\d{1,6})([hdw])")
_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}


def since(text: str) -> datetime:
    """Read a time for argparse.

    Args:
        text: A date, a time, or an age such as ``12h``, ``7d`` or ``2w``. Without a time zone it is in the time zone of
            this machine.

    Returns:
        The time, with a time zone.

    Raises:
        ArgumentTypeError: The text is neither.
    """
    age = _AGE.fullmatch(text.strip())
    try:
        if age is not None:
            return datetime.now().astimezone() - timedelta(**{_UNITS[age[2]]: int(age[1])})
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError, OSError):
        msg = f"{text[:40]!r} is neither a date such as 2026-03-01 nor an age such as 12h, 7d or 2w"
        raise argparse.ArgumentTypeError(msg) from None

"""What the operating system may raise when it is asked about processes and processors."""

import os
from collections.abc import Callable
from typing import Final, TypeVar

from green_callbacks.process import process_id
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

T = TypeVar("T")

_ODD_ANSWERS: Final = (ImportError, OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError)
"""What psutil raises besides its own errors where ``/proc`` is hidden, cut short, or of another PID namespace: it
splits and counts the words of files, and calls what the platform may lack."""
_warned: set[tuple[int, str]] = set()


def system_errors() -> tuple[type[Exception], ...]:
    """Return what the operating system may raise, psutil's own errors included, which are no OSError.

    psutil is loaded only if it was not, and only where something was raised.
    """
    try:
        import psutil
    except _ODD_ANSWERS:
        return _ODD_ANSWERS
    return (psutil.Error, *_ODD_ANSWERS)


def told(ask: Callable[[], T], instead: T, what: str) -> T:
    """Return what the operating system says, or else what is known; the first time the latter is one warning.

    Args:
        ask: Asks the operating system.
        instead: What is known without it.
        what: What is asked for, and what stands in, as two sentences.
    """
    try:
        return ask()
    except system_errors() as error:
        key = (process_id(), what)
        if key not in _warned:
            _warned.add(key)
            logger.warning("%s (%s: %s)", what, type(error).__name__, error)
        return instead


def cpu_count() -> int:
    """Return how many logical processors the machine has, as Python knows it; 1 where it does not."""
    return os.cpu_count() or 1

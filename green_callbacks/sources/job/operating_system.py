"""Guards requests about processes and processors against errors of the operating system."""

import os
from collections.abc import Callable
from typing import Final, TypeVar

from green_callbacks.process import process_id
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

T = TypeVar("T")

_ODD_ANSWERS: Final = (ImportError, OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError)
"""Exceptions of psutil besides its own errors, where ``/proc`` is hidden, cut short, or of another PID namespace.
psutil splits and counts the words of files, and calls functions that the platform may lack."""
_warned: set[tuple[int, str]] = set()


def system_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that the operating system may raise, with psutil's own errors, which are no OSError.

    psutil is loaded only after an error.
    """
    try:
        import psutil
    except _ODD_ANSWERS:
        return _ODD_ANSWERS
    return (psutil.Error, *_ODD_ANSWERS)


def answer_or_default(ask: Callable[[], T], default: T, what: str) -> T:
    """Return the operating system's answer, or else a default, with one warning.

    Args:
        ask: Function that asks the operating system.
        default: The default.
        what: The failed request and the default, as two sentences.
    """
    try:
        return ask()
    except system_errors() as error:
        key = (process_id(), what)
        if key not in _warned:
            _warned.add(key)
            logger.warning("%s (%s: %s)", what, type(error).__name__, error)
        return default


def cpu_count() -> int:
    """Return Python's number of logical processors, or 1 if Python does not know it."""
    return os.cpu_count() or 1

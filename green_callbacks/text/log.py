"""Loggers whose messages stay on their lines, whatever a name or an exception in them holds."""

import logging
from collections.abc import Mapping
from numbers import Number
from typing import Any, Final

from green_callbacks.text.escape import for_log, for_terminal

__all__ = ["Lines", "get_logger"]


class Lines(str):
    """A text of ours of several lines, such as a summary, in which newlines are meant."""

    __slots__ = ()


def get_logger(name: str) -> logging.Logger:
    """Return the standard logger of a name, with arguments of messages made safe for a log.

    The message itself and ``exc_info`` stay as they are. No other logger is touched, and nothing is done for a message
    below the logger's level.

    Args:
        name: Name of the logger, such as ``__name__``.

    Returns:
        What :func:`logging.getLogger` returns for that name.
    """
    logger = logging.getLogger(name)
    logger.addFilter(_CLEANING)  # which adds a filter once only
    return logger


class _Shown:
    """Stands for a foreign object in a message, and is put into words only if the message is."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return for_log(self._value)

    def __repr__(self) -> str:
        try:
            return for_log(repr(self._value))
        except Exception:  # noqa: BLE001  other people's code: what is being said matters more
            return f"<{type(self._value).__name__}>"


class _Cleaning(logging.Filter):
    """Passes every record, with its arguments made safe."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace what is foreign in a record; the record goes on to all handlers."""
        if not isinstance(record.msg, str):  # such as an exception that was logged by itself
            record.msg = str(_Shown(record.msg))
            if record.args:
                record.msg = record.msg.replace("%", "%%")
        if isinstance(record.args, Mapping):
            record.args = {name: _safe(value) for name, value in record.args.items()}
        elif record.args:
            record.args = tuple(map(_safe, record.args))
        return True


_CLEANING: Final = _Cleaning()


def _safe(value: object) -> Any:  # noqa: ANN401  an argument of a message is of any type
    if value is None or isinstance(value, Number | _Shown):
        return value
    if isinstance(value, Lines):
        return for_terminal(value, keeps_lines=True, limit=None)
    return value if type(value) is str and for_log(value) == value else _Shown(value)

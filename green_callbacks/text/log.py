"""Loggers that escape foreign text in their messages, so that each message stays on its lines."""

import logging
from collections.abc import Mapping
from numbers import Number
from typing import Any, Final

from green_callbacks.text.escape import for_log, for_terminal

__all__ = ["MultilineText", "get_logger"]


class MultilineText(str):
    r"""A text of this package that has several lines, such as a summary. Its line breaks are kept.

    Example:
        >>> get_logger("mine").info("%s", MultilineText("first line\nsecond line"))
    """

    __slots__ = ()


def get_logger(name: str) -> logging.Logger:
    """Return the standard logger of a name, which escapes the arguments of its messages.

    The message itself and ``exc_info`` stay as they are. Other loggers are not changed. A message below the logger's
    level costs nothing.

    Args:
        name: Name of the logger, such as ``__name__``.

    Returns:
        The result of :func:`logging.getLogger` for that name.

    Example:
        >>> get_logger("green_callbacks.example").name
        'green_callbacks.example'
    """
    logger = logging.getLogger(name)
    logger.addFilter(_CLEANING)  # logging adds the same filter once only
    return logger


class _Shown:
    """Wraps a foreign object in a message. The object becomes text only if the message is written."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return for_log(self._value)

    def __repr__(self) -> str:
        try:
            return for_log(repr(self._value))
        except Exception:  # noqa: BLE001  any code of others may run here, and the message matters more
            return f"<{type(self._value).__name__}>"


class _Cleaning(logging.Filter):
    """A filter that passes every log record and escapes its arguments."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Escape foreign text in a log record. The record goes on to all handlers."""
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
    if isinstance(value, MultilineText):
        return for_terminal(value, keeps_lines=True, limit=None)
    return value if type(value) is str and for_log(value) == value else _Shown(value)

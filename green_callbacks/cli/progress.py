"""A progress bar on standard error, for commands that take longer than a second."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from time import monotonic
from typing import Final, TypeVar

__all__ = ["watched"]

_T = TypeVar("_T")

_SILENT_SECONDS: Final = 1.0
"""Time in s before a bar appears. People wait a second without a question (Nielsen, Usability Engineering, 1993)."""

_EVERY_SECONDS: Final = 0.1
"""Time in s between two pictures of the bar, because a terminal may be slow."""

_CELLS: Final = 30
"""Width of the bar, in characters."""


def watched(items: Sequence[_T], what: str) -> Iterator[_T]:
    """Yield items, and show on a terminal how many have been yielded. Nothing is shown elsewhere, or within a second.

    Args:
        items: The items.
        what: Name of the items, in the plural.

    Yields:
        The items.

    Example:
        >>> list(watched([1, 2], "ledgers"))
        [1, 2]
    """
    if not _has_terminal():
        yield from items
        return
    began = monotonic()
    shown_at, width = began + _SILENT_SECONDS - _EVERY_SECONDS, 0
    try:
        for number, item in enumerate(items):
            if (now := monotonic()) >= shown_at + _EVERY_SECONDS:
                width, shown_at = _show(number, len(items), what), now
            yield item
    finally:
        if width:
            _write(f"\r{' ' * width}\r")


def _has_terminal() -> bool:
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except ValueError:  # it is closed
        return False


def _show(number: int, count: int, what: str) -> int:
    """Show the bar, and return its width in characters."""
    filled = _CELLS * number // count
    line = f"[{'#' * filled}{' ' * (_CELLS - filled)}] {number:,} of {count:,} {what}"
    _write(f"\r{line}")
    return len(line)


def _write(text: str) -> None:
    with suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()

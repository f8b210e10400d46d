"""Silences libraries that print when they are imported."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO


class _Without:
    """A stream that drops the text of one thread, and passes the text of all others on.

    Args:
        stream: The stream.
        thread: Id of the silenced thread.
    """

    def __init__(self, stream: TextIO, thread: int) -> None:
        self._stream = stream
        self._thread = thread

    def write(self, text: str) -> int:
        """Write a text, unless the silenced thread writes it.

        Args:
            text: The text.
        """
        return len(text) if threading.get_ident() == self._thread else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a stream has
        return getattr(self._stream, name)


@contextmanager
def quiet() -> Iterator[None]:
    """Drop the text that this thread prints. The text of other threads passes."""
    stream = sys.stdout
    if stream is None:  # as under pythonw
        yield
        return
    sys.stdout = _Without(stream, threading.get_ident())
    try:
        yield
    finally:
        sys.stdout = stream

"""Libraries that print when they are imported."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO


class _Without:
    """A stream that lets through what other threads write, and nothing of one thread.

    Args:
        stream: The stream.
        thread: The thread that is not heard.
    """

    def __init__(self, stream: TextIO, thread: int) -> None:
        self._stream = stream
        self._thread = thread

    def write(self, text: str) -> int:
        """Write a text, unless it is the thread's."""
        return len(text) if threading.get_ident() == self._thread else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a stream has
        return getattr(self._stream, name)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what this thread prints from the user; what others print meanwhile is let through."""
    stream = sys.stdout
    if stream is None:  # as under pythonw
        yield
        return
    sys.stdout = _Without(stream, threading.get_ident())
    try:
        yield
    finally:
        sys.stdout = stream

"""Network calls with a time limit that the other side cannot exceed."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from socket import socket

T = TypeVar("T")


class Lifeline:
    """The connections of some network call, so that another thread can cut them.

    A connection's own timeout starts anew with every byte, so a slow sender could delay a call forever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket] = []
        self._is_cut = False

    def hold(self, connection: "socket") -> None:
        """Add a connection. It is cut at once if the time is over.

        Args:
            connection: A connected socket.
        """
        with self._lock:
            self._sockets.append(connection)
            if self._is_cut:
                self._shut()

    def cut(self) -> None:
        """End all connections, so that a thread that waits for one of them wakes up."""
        with self._lock:
            self._is_cut = True
            self._shut()

    def _shut(self) -> None:
        from socket import SHUT_RDWR, socket

        for connection in self._sockets:
            with suppress(OSError):
                socket.shutdown(connection, SHUT_RDWR)  # the shutdown of TLS would wait for the other side


def within(seconds: float, work: Callable[[Lifeline], T]) -> T:
    """Run work on its own thread and wait for it a limited time.

    A name look-up cannot be cut. Its thread is left behind and ends by itself, and nothing waits for it.

    Args:
        seconds: Longest wait, in s.
        work: The work. It adds its connections to the lifeline.

    Returns:
        The result of the work.

    Raises:
        TimeoutError: The work took longer.

    Example:
        >>> within(5.0, lambda lifeline: "done")
        'done'
    """
    lifeline = Lifeline()
    results: list[T] = []
    thread = threading.Thread(
        target=lambda: results.append(work(lifeline)), name="green_callbacks_request", daemon=True
    )
    thread.start()
    thread.join(max(0.0, seconds))
    if results:
        return results[0]
    lifeline.cut()
    msg = f"no answer within {seconds:.1f} s"
    raise TimeoutError(msg)

"""Work on the network that is given up after a time, whatever the other side does."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from socket import socket

T = TypeVar("T")


class Lifeline:
    """The connections of some work, so that they can be cut from outside.

    A connection's own timeout starts anew with every byte: one who sends a byte now and then is never late.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket] = []
        self._is_cut = False

    def hold(self, connection: "socket") -> None:
        """Add a connection; it is cut at once where the time is over.

        Args:
            connection: A connected socket.
        """
        with self._lock:
            self._sockets.append(connection)
            if self._is_cut:
                self._shut()

    def cut(self) -> None:
        """End all connections, so that a thread that waits on one of them wakes up."""
        with self._lock:
            self._is_cut = True
            self._shut()

    def _shut(self) -> None:
        from socket import SHUT_RDWR, socket

        for connection in self._sockets:
            with suppress(OSError):
                socket.shutdown(connection, SHUT_RDWR)  # not TLS's own, which would wait for the other side


def within(seconds: float, work: Callable[[Lifeline], T]) -> T:
    """Do work on a thread of its own and wait for it no longer than a given time.

    Looking up a name cannot be cut; the thread is then left to end by itself, which nothing waits for.

    Args:
        seconds: How long, in s.
        work: What to do; tells the lifeline of its connections.

    Returns:
        What the work returns.

    Raises:
        TimeoutError: It took longer.
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

"""Calls of other people's code that may be slow or never return, on threads that nobody has to wait for."""

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

Call = Callable[[], object]


class CallThread:
    """A daemon thread that makes one call at a time; whoever asks waits for it as long as they like.

    Handing a call over and back takes two wake-ups, some 50 µs. The locks are the interpreter's own: a signal handler
    that raises between two instructions leaves none of them held.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._bell = threading.Lock()  # held while there is nothing to do
        self._bell.acquire()
        self._asked: tuple[Call, threading.Lock] | None = None
        self._is_calling = False
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def start(self, threads: "Threads") -> None:
        """Start the thread. Where the system does not allow it, :meth:`ask` calls at once, on the thread that asks.

        Args:
            threads: What starts it.
        """
        self._thread = threads.start(self._run, self._name)

    @property
    def is_busy(self) -> bool:
        """Whether a call is being made, or about to be."""
        return self._is_calling or not self._bell.locked()

    def ask(self, call: Call) -> threading.Lock:
        """Have a call made; only when the thread is not busy.

        Args:
            call: What to do; must not raise.

        Returns:
            A lock that can be acquired once the call has returned.
        """
        done = threading.Lock()
        if self._thread is None:
            call()
            return done
        done.acquire()
        self._asked = (call, done)
        ring(self._bell)
        return done

    def stop(self) -> None:
        """End the thread after the call at hand; does not wait for it."""
        self._is_stopping = True
        ring(self._bell)

    def join(self, timeout_seconds: float) -> None:
        """Wait for the end of the thread.

        Args:
            timeout_seconds: How long at most, in s.
        """
        if self._thread is not None:
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while True:
            self._bell.acquire()
            self._is_calling = True
            asked, self._asked = self._asked, None
            if asked is not None:
                call, done = asked
                call()
                self._is_calling = False
                done.release()
                asked = call = done = None  # type: ignore[assignment]  # nothing of the caller's is kept while idle
            self._is_calling = False
            if self._is_stopping:
                return


def call_once(call: Call, name: str, threads: "Threads", timeout_seconds: float) -> bool:
    """Make one call on a thread of its own, which ends with it, whatever becomes of who waits for it.

    Args:
        call: What to do; must not raise.
        name: Name of the thread.
        threads: What starts it. Where the system does not allow it, the call is made on the thread that asks.
        timeout_seconds: How long to wait for it, in s.

    Returns:
        Whether it has come back.
    """
    thread = threads.start(call, name)
    if thread is None:
        call()
        return True
    thread.join(timeout_seconds)
    return not thread.is_alive()


def ring(bell: threading.Lock) -> None:
    """Wake a thread that waits for a lock to be released; does nothing if it was rung already.

    Args:
        bell: The lock.
    """
    if bell.locked():
        try:
            bell.release()
        except RuntimeError:  # somebody else rang it in between
            return


class Threads:
    """Starts the threads of one run, and says once where the system allows no more of them."""

    def __init__(self) -> None:
        self._has_said = False

    def start(self, work: Callable[[], object], name: str) -> threading.Thread | None:
        """Start a daemon thread.

        Args:
            work: What it does.
            name: Its name.

        Returns:
            The thread, or None where the system allows no more of them.
        """
        thread = threading.Thread(target=work, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as reason:  # a limit on the processes of this user or container
            if not self._has_said:
                self._has_said = True
                logger.warning(
                    "No thread can be started (%s). Sensors are read at the edges of epochs only, and training waits "
                    "for the disk and for sinks. Raise the limit on processes ('ulimit -u').",
                    reason,
                )
            return None
        return thread

"""Calls of other people's code on daemon threads, because such a call may be slow or never return."""

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

Call = Callable[[], object]


class CallThread:
    """A daemon thread that makes one call at a time. The caller chooses how long to wait for it.

    A call takes two wake-ups of threads, about 50 µs. The locks are plain locks of the interpreter, because a signal
    handler that raises between two instructions leaves none of them held.

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
        """Start the thread. If the system allows no thread, :meth:`ask` makes the call on the calling thread.

        Args:
            threads: Starts the thread.
        """
        self._thread = threads.start(self._run, self._name)

    @property
    def is_busy(self) -> bool:
        """Whether a call is being made, or about to be."""
        return self._is_calling or not self._bell.locked()

    def ask(self, call: Call) -> threading.Lock:
        """Make a call on the thread, which must not be busy.

        Args:
            call: The call, which must not raise.

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
        """End the thread after its present call, without waiting for it."""
        self._is_stopping = True
        ring(self._bell)

    def join(self, timeout_seconds: float) -> None:
        """Wait for the end of the thread.

        Args:
            timeout_seconds: Longest time to wait, in s.
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
    """Make one call on a thread of its own, which ends with the call.

    Args:
        call: The call, which must not raise.
        name: Name of the thread.
        threads: Starts the thread. If the system allows no thread, the call is made on the calling thread.
        timeout_seconds: Longest time to wait for the call, in s.

    Returns:
        Whether the call has returned.
    """
    thread = threads.start(call, name)
    if thread is None:
        call()
        return True
    thread.join(timeout_seconds)
    return not thread.is_alive()


def ring(bell: threading.Lock) -> None:
    """Release a lock for which a thread waits. Does nothing if the lock is free.

    Args:
        bell: The lock.
    """
    if bell.locked():
        try:
            bell.release()
        except RuntimeError:  # another thread has released it in between
            return


class Threads:
    """Starts the threads of one run. Warns once if the system allows no more threads."""

    def __init__(self) -> None:
        self._has_said = False

    def start(self, work: Callable[[], object], name: str) -> threading.Thread | None:
        """Start a daemon thread.

        Args:
            work: Its work.
            name: Its name.

        Returns:
            The thread, or None if the system allows no more threads.
        """
        thread = threading.Thread(target=work, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as reason:  # a limit on the processes of this user or container, or the end of the process
            # Python 3.12 starts no thread while the process ends. That is no fault, and no remedy would help.
            if not self._has_said and threading.main_thread().is_alive():
                self._has_said = True
                logger.warning(
                    "No thread can be started (%s). Sensors are read at the edges of epochs only, and training waits "
                    "for the disk and for sinks. Raise the limit on processes ('ulimit -u').",
                    reason,
                )
            return None
        return thread

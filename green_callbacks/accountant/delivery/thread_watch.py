"""The thread that watches the other threads of a run."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from green_callbacks.call_threads import Threads, ring
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

PULSE_SECONDS: Final = 1.0
"""Interval between two checks whether something hangs, in s."""


class Pulse:
    """A thread that runs checks every second, and a heartbeat at its own interval.

    Args:
        checks: Called every second.
        beat: The heartbeat.
        beat_seconds: Interval of the heartbeat, in s.
    """

    def __init__(self, checks: Sequence[Callable[[], object]], beat: Callable[[], object], beat_seconds: float) -> None:
        self._checks = checks
        self._beat = beat
        self._beat_seconds = beat_seconds
        self._stop = threading.Lock()
        self._stop.acquire()
        self._thread: threading.Thread | None = None

    def start(self, threads: Threads) -> None:
        """Start the thread."""
        self._thread = threads.start(self._run, "green_callbacks pulse")

    def stop(self, timeout_seconds: float) -> None:
        """End the thread. Wait for its end, unless this is the thread."""
        ring(self._stop)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        due = time.monotonic() + self._beat_seconds
        while not self._stop.acquire(timeout=min(PULSE_SECONDS, self._beat_seconds)):
            for check in self._checks:
                self._guarded(check)
            if time.monotonic() >= due:
                due = time.monotonic() + self._beat_seconds
                self._guarded(self._beat)

    @staticmethod
    def _guarded(work: Callable[[], object]) -> None:
        try:
            work()
        # This thread watches all others, so no failure may end it. The failure is logged, not hidden.
        except Exception:
            logger.exception("A check of the threads of a run failed. Training goes on.")

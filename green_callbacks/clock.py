"""Clocks for the time of day and for intervals, of the machine or of a script."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

_ADVANCING: Final = threading.RLock()  # of all clocks together, so that a clock pickles


class Clock(Protocol):
    """Tells the time to every part of the package.

    >>> clock: Clock = SystemClock()
    >>> clock.now().tzinfo is not None
    True
    """

    def monotonic(self) -> float:
        """Return seconds since an arbitrary origin. They never decrease, even if the time of day is changed."""
        ...

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        ...


class SystemClock:
    """The clocks of the machine.

    >>> clock = SystemClock()
    >>> clock.monotonic() <= clock.monotonic()
    True
    """

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the machine's time of day in UTC."""
        return datetime.now(UTC)


class ScriptedClock:
    """A clock that moves only when told, by any thread, for tests, replays and simulations.

    Args:
        start: Time of day at the beginning. Defaults to 2025-01-01 in UTC.

    >>> clock = ScriptedClock()
    >>> clock.advance(90.0)
    >>> clock.monotonic(), clock.now().isoformat()
    (90.0, '2025-01-01T00:01:30+00:00')
    """

    def __init__(self, start: datetime = datetime(2025, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._seconds = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Args:
            seconds: Duration in s, at least 0.

        Raises:
            ValueError: The duration is negative.
        """
        if seconds < 0:
            msg = f"Time cannot run backwards by {-seconds} s."
            raise ValueError(msg)
        with _ADVANCING:
            self._seconds += seconds

    def monotonic(self) -> float:
        """Return the seconds passed since the beginning."""
        return self._seconds

    def now(self) -> datetime:
        """Return the scripted time of day."""
        return self._start + timedelta(seconds=self._seconds)

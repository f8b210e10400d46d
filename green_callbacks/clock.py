"""The time of day and the time that passes: the machine's, or a script's."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

_ADVANCING: Final = threading.RLock()  # of all clocks together, so that a clock pickles


class Clock(Protocol):
    """Two readings of time; everything in the package that needs the time asks one of these."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary origin; never goes back, whatever happens to the time of day."""
        ...

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        ...


class SystemClock:
    """The clocks of the machine."""

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the machine's time of day in UTC."""
        return datetime.now(UTC)


class ScriptedClock:
    """A clock that moves only when told, by any thread, for tests, replays and simulations.

    Args:
        start: Time of day at the beginning; 2025-01-01 UTC unless given.
    """

    def __init__(self, start: datetime = datetime(2025, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._seconds = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Args:
            seconds: How long; at least 0.

        Raises:
            ValueError: Time would run backwards.
        """
        if seconds < 0:
            msg = f"Time cannot run backwards: {seconds} s."
            raise ValueError(msg)
        with _ADVANCING:
            self._seconds += seconds

    def monotonic(self) -> float:
        """Return the seconds passed since the beginning."""
        return self._seconds

    def now(self) -> datetime:
        """Return the scripted time of day."""
        return self._start + timedelta(seconds=self._seconds)

"""Converts the driver's time stamps of samples to monotonic time."""

from typing import Final

from green_callbacks.clock import Clock

MICROSECONDS_PER_SECOND: Final = 1e6
"""Number of µs in 1 s."""
STEP_SECONDS: Final = 0.25
"""Difference of a time stamp and the passed time, in s, from which the time of day was set (by convention)."""
MOST_AGE_SECONDS: Final = 1.0
"""Largest age of the newest sample of a buffer that is kept up to date, in s (by convention)."""
_FRESH_SECONDS: Final = 0.1
"""Largest age of the newest sample of a healthy buffer, in s (by experiment)."""
_SLEW_SECONDS: Final = 0.005
"""Largest change of the time of day between two readings that is slewing, in s. NTP slews 500 µs per second at most."""


class StampClock:
    """Converts the driver's time stamps, in µs since 1970, to monotonic time.

    The time of day may be set at any moment, while monotonic time only passes. So stamps are compared with earlier
    stamps, and the difference is checked against the passed time.

    Args:
        clock: The clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = self.day_offset()

    def day_offset(self) -> float:
        """Return the time of day less the monotonic time, in s."""
        return self._clock.now().timestamp() - self._clock.monotonic()

    def restart(self, stamp: int) -> None:
        """Restart with the time of day, or with a stamp if it is far off the time of day.

        Args:
            stamp: The newest stamp, in µs.
        """
        self._offset = self.day_offset()
        if not -STEP_SECONDS < self._clock.monotonic() - self.seconds(stamp) < MOST_AGE_SECONDS:
            self._offset = stamp / MICROSECONDS_PER_SECOND - self._clock.monotonic()

    @property
    def is_off(self) -> bool:
        """Whether the time of day was set since stamps last agreed with it."""
        return abs(self.day_offset() - self._offset) > STEP_SECONDS

    def take_step_seconds(self) -> float:
        """Return the change of the time of day since the last call, in s. It is 0 if time just passed."""
        offset = self.day_offset()
        step, self._offset = offset - self._offset, offset
        return step if abs(step) > STEP_SECONDS else 0.0

    def stamp_now(self) -> int:
        """Return the latest stamp that a sample can have now, in µs."""
        return round((self._clock.now().timestamp() + STEP_SECONDS) * MICROSECONDS_PER_SECOND)

    def settle(self, stamp: int) -> None:
        """Follow the time of day if the stamps follow it, as when NTP slews it.

        Args:
            stamp: The newest stamp, in µs.
        """
        offset = self.day_offset()
        age = self._clock.monotonic() + offset - stamp / MICROSECONDS_PER_SECOND
        if abs(offset - self._offset) < _SLEW_SECONDS or 0 <= age < _FRESH_SECONDS:
            self._offset = offset

    def seconds(self, stamp: int) -> float:
        """Return a stamp as monotonic time, in s.

        Args:
            stamp: The driver's time stamp, in µs.
        """
        return stamp / MICROSECONDS_PER_SECOND - self._offset

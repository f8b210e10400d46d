"""The driver's time stamps of samples, as monotonic time."""

from typing import Final

from green_callbacks.clock import Clock

MICROSECONDS_PER_SECOND: Final = 1e6
STEP_SECONDS: Final = 0.25
"""By so much a time stamp may differ from the time that passed, in s, before the time of day was set."""
MOST_AGE_SECONDS: Final = 1.0
"""How old the newest sample of a buffer may be that is kept up to date, in s."""
_FRESH_SECONDS: Final = 0.1
"""How old the newest sample of a healthy buffer is at most, in s."""
_SLEW_SECONDS: Final = 0.005
"""By how much the time of day may be set between two readings, in s: NTP slews 500 us a second at most."""


class StampClock:
    """Turns the driver's time stamps, in microseconds since 1970, into monotonic time.

    The time of day may be set at any moment, the monotonic time passes. So what counts of a stamp is how much later it
    is than those before it, and that is checked against the time that passed.

    Args:
        clock: The time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = self.day_offset()

    def day_offset(self) -> float:
        """Return by how much the time of day exceeds the monotonic time, in s."""
        return self._clock.now().timestamp() - self._clock.monotonic()

    def set_by(self, stamp: int) -> None:
        """Begin anew with the time of day, or with a stamp where that is far off it.

        Args:
            stamp: The newest stamp.
        """
        self._offset = self.day_offset()
        if not -STEP_SECONDS < self._clock.monotonic() - self.seconds(stamp) < MOST_AGE_SECONDS:
            self._offset = stamp / MICROSECONDS_PER_SECOND - self._clock.monotonic()

    @property
    def is_off(self) -> bool:
        """Whether the time of day was set since the stamps were last seen to follow it."""
        return abs(self.day_offset() - self._offset) > STEP_SECONDS

    def step_seconds(self) -> float:
        """Return by how much the time of day was set since this was asked the last time, in s; 0 if it just passed."""
        offset = self.day_offset()
        step, self._offset = offset - self._offset, offset
        return step if abs(step) > STEP_SECONDS else 0.0

    def stamp_now(self) -> int:
        """Return the latest stamp that a sample can have now, where stamps are of this time of day."""
        return round((self._clock.now().timestamp() + STEP_SECONDS) * MICROSECONDS_PER_SECOND)

    def settle(self, stamp: int) -> None:
        """Follow the time of day where the stamps do: it is set little by little by NTP, or in small steps.

        Args:
            stamp: The newest stamp.
        """
        offset = self.day_offset()
        age = self._clock.monotonic() + offset - stamp / MICROSECONDS_PER_SECOND
        if abs(offset - self._offset) < _SLEW_SECONDS or 0 <= age < _FRESH_SECONDS:
            self._offset = offset

    def seconds(self, stamp: int) -> float:
        """Return a stamp as monotonic time, in s.

        Args:
            stamp: The driver's time stamp.
        """
        return stamp / MICROSECONDS_PER_SECOND - self._offset

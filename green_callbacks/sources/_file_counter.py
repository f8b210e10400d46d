"""A cumulative energy counter that Linux shows as a file, in µJ: read as it stands, and carried on as an account."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from green_callbacks.sources._device import Account
from green_callbacks.units import MICROJOULES_PER_JOULE

LONGEST_POLL_SECONDS: Final = 60.0
"""The longest that a counter is left alone, in s, however late it wraps."""
_SHORTEST_POLL_SECONDS: Final = 0.1
_POLLS_PER_WRAP: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyFile:
    """One energy counter.

    Attributes:
        name: Name of the device, e.g. ``cpu:package-0``.
        component: What it is a part of: ``cpu``, ``dram``, ``gpu``.
        counter: The file that holds the energy, in µJ.
        range_joules: Where the counter wraps, in J; None if that cannot be read, or does not happen.
        wrap_seconds: Time in which the counter, or what the driver adds up for it, may wrap at the soonest, in s.
    """

    name: str
    component: str
    counter: Path
    range_joules: float | None
    wrap_seconds: float

    @property
    def poll_seconds(self) -> float:
        """How often the counter must be read so that no wrap is missed, in s."""
        return max(_SHORTEST_POLL_SECONDS, min(LONGEST_POLL_SECONDS, self.wrap_seconds / _POLLS_PER_WRAP))

    def read_joules(self) -> float:
        """Return what the counter shows, in J.

        Raises:
            OSError: The file cannot be read.
            ValueError: It does not hold a number.
        """
        # Opened each time: a file kept open would not notice a driver that was loaded again.
        return int(self.counter.read_bytes()) / MICROJOULES_PER_JOULE

    def rise_joules(self, before: float, now: float) -> float | None:
        """Return the energy between two values of the counter, less whole laps; None if it cannot be told.

        Args:
            before: The earlier value in J.
            now: The later value in J.
        """
        if now >= before:
            return now - before
        if self.range_joules is None or before > self.range_joules:
            return None
        return now - before + self.range_joules

    def refusal(self) -> OSError | ValueError | None:
        """Return why the counter cannot be read; None if it can."""
        try:
            self.read_joules()
        except (OSError, ValueError) as error:
            return error
        return None


@dataclass(frozen=True, slots=True)
class FileCounter:
    """A counter as of its last answer: what it showed, and what that came to.

    Attributes:
        file: The counter.
        account: The energy so far.
        shown_joules: What the counter showed, in J; None before its first answer.
    """

    file: EnergyFile
    account: Account
    shown_joules: float | None = None

    def advanced(self, now: float, *, share: float = 1.0, slept: bool = False) -> "FileCounter":
        """Read the counter and carry its account on.

        Args:
            now: Monotonic time in s.
            share: Which part of its rise counts, 0 to 1.
            slept: Whether the machine was suspended since.

        Returns:
            The counter as of now; as it was, and why, if it does not answer.
        """
        file, account, before = self.file, self.account, self.shown_joules
        try:
            shown = file.read_joules()
        except (OSError, ValueError) as error:
            return replace(self, account=account.lose(f"{file.counter} cannot be read: {error}"))
        # Suspended to memory, a device loses power and its counter begins anew.
        rise = None if before is None or (slept and shown < before) else file.rise_joules(before, shown)
        wraps_unseen = now - account.answered_at > max(file.wrap_seconds, LONGEST_POLL_SECONDS)
        if rise is None:
            account = account.skip(now, *(() if before is None else ("reset",)))
        elif not wraps_unseen:
            account = account.add(rise * share, now)
        elif account.reason is None:
            account = account.add(rise * share, now, "wraps_unseen")
        else:
            account = account.skip(now)
        return FileCounter(file, account, shown)

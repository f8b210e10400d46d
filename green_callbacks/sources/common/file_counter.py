"""A cumulative energy counter that Linux shows as a file, in µJ."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from green_callbacks.small_files import read_beginning
from green_callbacks.sources.common.device import Account
from green_callbacks.sources.common.energy_counter import CountedEnergy, CounterLimits
from green_callbacks.units import MICROJOULES_PER_JOULE

LONGEST_SILENCE_SECONDS: Final = 60.0
"""Time without a reading, in s, within which no counter is assumed to have wrapped unseen (by convention)."""
LONGEST_POLL_SECONDS: Final = 0.5
"""Longest interval between two readings of a counter, in s. So a standstill is noticed at the second poll."""
_SHORTEST_POLL_SECONDS: Final = 0.1
"""Shortest interval between two readings of a counter, in s (by convention)."""
_POLLS_PER_WRAP: Final = 3
"""Number of readings in the shortest time between two wraps, so that one missed reading does no harm."""
_LARGEST_COUNT: Final = 2**64 - 1
"""Largest count of Linux, in µJ, because it counts in 64 bits."""
_SHOWN_BYTES: Final = 40
"""Length of an invalid content in a message, in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyFile:
    """One energy counter.

    Attributes:
        name: Name of the device, e.g. ``cpu:package-0``.
        component: Component of the device, e.g. ``cpu``, ``dram`` or ``gpu``.
        counter: The file that holds the energy, in µJ.
        range_joules: Energy at which the counter wraps, in J. None if it does not wrap, or the energy is not known.
        wrap_seconds: Shortest time in which the counter, or a register behind it, may wrap, in s.
        largest_watts: Largest power of the device, in W.
        still_seconds: Longest standstill of the counter while the device is on, in s.
    """

    name: str
    component: str
    counter: Path
    range_joules: float | None
    wrap_seconds: float
    largest_watts: float
    still_seconds: float

    @property
    def poll_seconds(self) -> float:
        """Interval between two readings at which nothing is missed, in s."""
        return max(_SHORTEST_POLL_SECONDS, min(LONGEST_POLL_SECONDS, self.wrap_seconds / _POLLS_PER_WRAP))

    @property
    def limits(self) -> CounterLimits:
        """The limits of the counter."""
        return CounterLimits(
            largest_watts=self.largest_watts,
            still_seconds=self.still_seconds,
            range_joules=self.range_joules,
            wrap_seconds=max(self.wrap_seconds, LONGEST_SILENCE_SECONDS),
        )

    def read_joules(self) -> float:
        """Return the value of the counter, in J.

        Raises:
            OSError: The file cannot be read.
            ValueError: The file holds no number, or a number out of range.
        """
        # The file is opened each time. An open file would not notice that its driver was loaded again.
        text = read_beginning(self.counter).strip()
        if not text.isdigit():
            msg = f"it holds {text[:_SHOWN_BYTES]!r}, which is no number of µJ"
            raise ValueError(msg)
        count = int(text) if len(text) <= _SHOWN_BYTES else _LARGEST_COUNT + 1
        joules = count / MICROJOULES_PER_JOULE
        if count > _LARGEST_COUNT or (self.range_joules is not None and joules > self.range_joules):
            msg = f"it holds {joules:.3g} J, which is beyond its range"
            raise ValueError(msg)
        return joules

    def refusal(self) -> OSError | ValueError | None:
        """Return why the counter cannot be read, or None if it can."""
        try:
            self.read_joules()
        except (OSError, ValueError) as error:
            return error
        return None


@dataclass(frozen=True, slots=True)
class FileCounter:
    """A counter as of its last answer.

    Attributes:
        file: The counter.
        counted: The energy so far.
    """

    file: EnergyFile
    counted: CountedEnergy

    @classmethod
    def begin(cls, file: EnergyFile, now: float) -> "FileCounter":
        """Begin at an origin, without an answer.

        Args:
            file: The counter.
            now: Monotonic time in s.
        """
        return cls(file, CountedEnergy(file.limits, Account(answered_at=now)))

    def advanced(self, now: float, *, share: float = 1.0, slept: bool = False) -> "FileCounter":
        """Read the counter, and return its new state.

        Args:
            now: Monotonic time in s.
            share: Part of its rise that counts, 0 to 1. Defaults to 1.
            slept: Whether the machine was suspended since the last reading. Defaults to False.

        Returns:
            The counter now. If it does not answer, its energy is unchanged and has a reason.
        """
        try:
            shown = self.file.read_joules()
        except (OSError, ValueError) as error:
            return replace(self, counted=self.counted.lost(f"{self.file.counter} cannot be read: {error}"))
        return replace(self, counted=self.counted.taken(shown, now, share=share, slept=slept))

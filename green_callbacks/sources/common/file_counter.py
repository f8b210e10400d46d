"""A cumulative energy counter that Linux shows as a file, in µJ."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from green_callbacks.small_files import read_beginning
from green_callbacks.sources.common.device import Account
from green_callbacks.sources.common.energy_counter import CountedEnergy, CounterLimits
from green_callbacks.units import MICROJOULES_PER_JOULE

LONGEST_SILENCE_SECONDS: Final = 60.0
"""Within this time without a reading, in s, no counter is taken to have wrapped unseen."""
LONGEST_POLL_SECONDS: Final = 0.5
"""The longest that a counter is left alone, in s: one that stands still is noticed at the second poll."""
_SHORTEST_POLL_SECONDS: Final = 0.1
_POLLS_PER_WRAP: Final = 3
_LARGEST_COUNT: Final = 2**64 - 1
"""Linux counts µJ in 64 bits."""
_SHOWN_BYTES: Final = 40
"""How much of what is no number is shown in a message, in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyFile:
    """One energy counter.

    Attributes:
        name: Name of the device, e.g. ``cpu:package-0``.
        component: What it is a part of: ``cpu``, ``dram``, ``gpu``.
        counter: The file that holds the energy, in µJ.
        range_joules: Where the counter wraps, in J; None if that cannot be read, or does not happen.
        wrap_seconds: Time in which the counter, or what the driver adds up for it, may wrap at the soonest, in s.
        largest_watts: The largest power that the device can draw, in W.
        still_seconds: How long the counter may stand still while the device is on, in s.
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
        """How often the counter must be read so that nothing is missed, in s."""
        return max(_SHORTEST_POLL_SECONDS, min(LONGEST_POLL_SECONDS, self.wrap_seconds / _POLLS_PER_WRAP))

    @property
    def limits(self) -> CounterLimits:
        """What the counter cannot do."""
        return CounterLimits(
            largest_watts=self.largest_watts,
            still_seconds=self.still_seconds,
            range_joules=self.range_joules,
            wrap_seconds=max(self.wrap_seconds, LONGEST_SILENCE_SECONDS),
        )

    def read_joules(self) -> float:
        """Return what the counter shows, in J.

        Raises:
            OSError: The file cannot be read.
            ValueError: It does not hold a number, or one that the counter cannot reach.
        """
        # Opened each time: a file kept open would not notice a driver that was loaded again.
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
        """Read the counter and carry its account on.

        Args:
            now: Monotonic time in s.
            share: Which part of its rise counts, 0 to 1. Defaults to all of it.
            slept: Whether the machine was suspended since.

        Returns:
            The counter as of now; as it was, and why, if it does not answer.
        """
        try:
            shown = self.file.read_joules()
        except (OSError, ValueError) as error:
            return replace(self, counted=self.counted.lost(f"{self.file.counter} cannot be read: {error}"))
        return replace(self, counted=self.counted.taken(shown, now, share=share, slept=slept))

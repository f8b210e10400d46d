"""What is told of a GPU beside its energy: that it is silent, and what part of it a slice is."""

from typing import Final

from green_callbacks.clock import Clock
from green_callbacks.records import Reading
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

SLICE_TOLERANCE: Final = 0.4
"""A convention: no meter tells what a slice of MIG draws."""
_WARN_AGAIN_SECONDS: Final = 600.0
"""A GPU that answers now and then is warned of no more often, in s."""


class Silence:
    """Says that a GPU does not answer: seldom, where it answers now and then.

    Args:
        name: The GPU.
        clock: The time.
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._warned_seconds: float | None = None

    def warn(self, error: Exception) -> None:
        """Warn of it.

        Args:
            error: What the driver says.
        """
        now = self._clock.monotonic()
        if self._warned_seconds is None or now - self._warned_seconds > _WARN_AGAIN_SECONDS:
            self._warned_seconds = now
            logger.warning("%s does not answer: %s. Its energy is not counted until it does.", self._name, error)


def part_of(reading: Reading, share: float) -> Reading:
    """Return the reading of a slice of a GPU: modelled, as large a part of the energy as the slice is of the GPU.

    Args:
        reading: The reading of the whole GPU.
        share: The part, 0 to 1.
    """
    return reading._replace(
        joules=reading.joules and reading.joules * share,
        method="modelled",
        tolerance=SLICE_TOLERANCE,
        below_joules=reading.below_joules * share,
        above_joules=reading.above_joules * share,
        lag_joules=reading.lag_joules * share,
        walk_square_joules=reading.walk_square_joules * share**2,
    )

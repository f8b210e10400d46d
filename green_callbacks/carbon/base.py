"""What every provider of carbon intensity promises."""

from datetime import datetime
from typing import Protocol, runtime_checkable

from green_callbacks.records import Intensity


@runtime_checkable
class CarbonIntensity(Protocol):
    """The carbon intensity of the electricity used, over time."""

    def at(self, when: datetime) -> Intensity:
        """Return the intensity at a time.

        Never waits and never raises: a provider that asks others does so elsewhere and answers with the last it knows.

        Args:
            when: Time of day, aware.
        """
        ...

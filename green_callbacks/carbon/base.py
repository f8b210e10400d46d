"""What every provider of carbon intensity promises."""

from datetime import datetime
from typing import Protocol, TypeGuard, runtime_checkable

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


@runtime_checkable
class VaryingIntensity(CarbonIntensity, Protocol):
    """A carbon intensity that changes while a record lasts."""

    def over(self, start: datetime, end: datetime) -> Intensity:
        """Return the mean over an interval, weighted by time.

        Never waits and never raises.

        Args:
            start: Beginning, aware.
            end: End, aware; what is not after the beginning counts as the beginning.
        """
        ...


@runtime_checkable
class PolledIntensity(CarbonIntensity, Protocol):
    """A carbon intensity that others must be asked for, on the worker's thread.

    Whoever accounts calls :meth:`poll` once at the start and then every :attr:`poll_seconds`, never on the thread that
    trains. A provider that is not polled answers all the same, with what stands in for what it does not know.

    Attributes:
        poll_seconds: Time between two calls, in s. Most calls find that there is nothing to ask yet, and return.
    """

    poll_seconds: float

    def poll(self) -> None:
        """Ask, if it is time to; may wait for a few seconds, and never raises for what others do."""
        ...


def is_varying(provider: CarbonIntensity) -> TypeGuard[VaryingIntensity]:
    """Return whether a provider tells its mean over an interval; asked at every edge of an epoch.

    Args:
        provider: The intensity over time.
    """
    return hasattr(provider, "over")  # isinstance() with a protocol takes ten times as long as all else at an edge


def mean_intensity(provider: CarbonIntensity, start: datetime, end: datetime) -> Intensity:
    """Return a provider's mean over an interval: weighted by time where it varies, else as it is in the middle.

    Args:
        provider: The intensity over time.
        start: Beginning, aware.
        end: End, aware.
    """
    return provider.over(start, end) if is_varying(provider) else provider.at(start + (end - start) / 2)

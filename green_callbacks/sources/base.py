"""The contract of every source of energy."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from green_callbacks.records import ActivityTotals, DeviceInfo, Reading


class EnergySource(ABC):
    """A sensor, or a family of sensors, read as cumulative counters.

    The constructor takes options and creates nothing live, so that a source pickles, deep-copies and forks.
    :meth:`open` creates the live state. :meth:`close` and pickling drop it. An open source never raises. A device that
    does not answer keeps its energy and gives a reason in its reading.

    Example:
        >>> from green_callbacks.records import Reading
        >>> class FixedSource(EnergySource):
        ...     def read(self):
        ...         return {"gpu:0": Reading(joules=42.0, component="gpu", method="counter")}
        >>> FixedSource().read()["gpu:0"].joules
        42.0
    """

    poll_seconds: float | None = None
    """Interval between two calls of :meth:`poll` on the worker, in s. None for no calls. It may differ by object."""

    observe_seconds: float | None = None
    """Interval between two calls of :meth:`observe` on the worker, in s. None for no calls. It may differ by object."""

    is_instant: bool = False
    """Whether :meth:`read` only reads memory of this process.

    Every other source asks a driver or a file, which may be slow or never answer. So it is read on a thread for which
    training need not wait.
    """

    lively_seconds: float = 0.0
    """Time after an answer, in s, in which the next :meth:`read` is trusted not to hang and needs no thread of its own.

    It is 0 for a source without experience.
    """

    def open(self) -> None:
        """Find the devices.

        Safe to call again. A closed source can be opened again.

        Raises:
            SourceUnavailableError: Nothing can be measured here. The message names the remedy.
        """

    @abstractmethod
    def read(self) -> Mapping[str, Reading]:
        """Read every device now, without waiting.

        Work that is queued on a device is not waited for. Its energy falls into the next lap.

        Returns:
            A cumulative reading for every device by name. A name identifies the device on its host, e.g.
            ``gpu:GPU-8932f937`` or ``cpu:package-0``. It stays the same while the source is open.
        """

    def read_settled(self) -> Mapping[str, Reading]:
        """Read every device at a refresh of its counter. This may wait for a refresh.

        Returns:
            Readings as from :meth:`read`, with the narrowest bounds that the sensor allows.
        """
        return self.read()

    def poll(self) -> None:
        """Do periodic work on the worker's thread, such as sampling, following a phase, or noticing a wrap."""

    def observe(self) -> None:
        """Ask what the devices do besides using energy, on a thread of the worker.

        If it hangs, neither :meth:`poll` nor :meth:`read` waits for it.
        """

    def activity(self) -> Mapping[str, ActivityTotals]:
        """Return what devices did since the source was opened, besides using energy. It answers from memory, at once.

        A source learns it in :meth:`observe`, and replaces the totals of a device as a whole.

        Returns:
            The totals by the names that :meth:`read` uses. A device that cannot be observed is left out. Records leave
            out a mean that no device can have, such as a share above 1.
        """
        return {}

    def describe(self) -> Mapping[str, DeviceInfo]:
        """Return descriptions of the devices, by the names that :meth:`read` uses.

        Returns:
            The descriptions. A device without one is left out. Empty while the source is closed.
        """
        return {}

    def close(self) -> None:
        """Release everything live. Safe to call again."""

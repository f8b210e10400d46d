"""What every source of joules promises."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from green_callbacks.records import DeviceInfo, Reading


class EnergySource(ABC):
    """A sensor, or a family of sensors, read as cumulative counters.

    The constructor takes options and creates nothing live, so that a source pickles, deep-copies and forks. What is
    live is created by :meth:`open` and dropped by :meth:`close` and by pickling. Once open, a source never raises:
    a device that does not answer keeps what it had and says why in its reading.
    """

    poll_seconds: float | None = None
    """How often :meth:`poll` wants to be called on the worker, in s; None for never. May be set per object."""

    is_instant: bool = False
    """Whether :meth:`read` only looks at memory of this process. Every other source asks a driver or a file, which may
    be slow or never answer, so it is read on a thread that training need not wait for."""

    lively_seconds: float = 0.0
    """How long after an answer the next :meth:`read` is trusted not to hang, in s, and needs no thread of its own. 0
    for a source of which nothing is known."""

    def open(self) -> None:
        """Find the devices.

        Safe to call again; a closed source can be opened again.

        Raises:
            SourceUnavailableError: Nothing can be measured here; the message says what would change that.
        """

    @abstractmethod
    def read(self) -> Mapping[str, Reading]:
        """Read every device, now, without waiting.

        Work queued on a device but not done is not waited for: its energy falls into the next lap.

        Returns:
            A cumulative reading for every device by name. A name tells the device apart on its host, e.g.
            ``gpu:GPU-8932f937`` or ``cpu:package-0``, and stays the same while the source is open.
        """

    def read_settled(self) -> Mapping[str, Reading]:
        """Read every device at a refresh of its counter; may wait for one.

        Returns:
            As :meth:`read`, with the narrowest bounds that the sensor allows.
        """
        return self.read()

    def poll(self) -> None:
        """Do what must be done now and then, on the worker's thread: sample, keep a phase, look for wraps."""

    def describe(self) -> Mapping[str, DeviceInfo]:
        """Return what is known of the devices besides their energy, by the names that :meth:`read` uses.

        Returns:
            What is known; a device of which nothing is known may be left out. Empty while the source is closed.
        """
        return {}

    def close(self) -> None:
        """Let go of everything live; safe to call again."""

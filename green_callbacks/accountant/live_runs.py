"""The runs of this process that go on."""

from collections.abc import Collection
from typing import Generic, Protocol, TypeVar


class Live(Protocol):
    """What is asked of a run."""

    @property
    def is_live(self) -> bool:
        """Whether it goes on, in this process."""
        ...

    @property
    def devices(self) -> frozenset[str]:
        """The devices that count for it."""
        ...


LiveRun = TypeVar("LiveRun", bound=Live)


class LiveRuns(Generic[LiveRun]):
    """Runs that go on, on any thread. A run is held from its start to its close."""

    def __init__(self) -> None:
        self._runs: dict[LiveRun, None] = {}  # single operations on it take no lock: a signal handler may make them too

    def add(self, run: LiveRun) -> None:
        """Take a run that has started."""
        self._runs[run] = None

    def discard(self, run: LiveRun) -> None:
        """Forget a run; does nothing if it is not known."""
        self._runs.pop(run, None)

    def on(self, devices: Collection[str]) -> list[LiveRun]:
        """Return the runs on any of some devices, the oldest first.

        Args:
            devices: Names of the devices.
        """
        return [run for run in list(self._runs) if run.is_live and not run.devices.isdisjoint(devices)]

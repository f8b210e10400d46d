"""The live runs of this process."""

import threading
from collections.abc import Collection
from typing import Final, Protocol

from green_callbacks.accountant.notices import Notices
from green_callbacks.meter import EnergyMeter
from green_callbacks.records import RunRecord
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_SHARED: Final = "shared"
_SHARES: Final = (
    "Run %s shares %s with another run, which trains in this process at the same time. Their common energy is divided "
    "in equal parts, flagged 'shared'. The true part of each may be nothing or all. Train one after the other, or with "
    "a GPU each, to measure each by itself."
)


class LiveRun(Protocol):
    """A run, as other runs of the process see it."""

    run_id: str
    notices: Notices

    @property
    def is_live(self) -> bool:
        """Whether it goes on, in this process."""
        ...

    @property
    def devices(self) -> frozenset[str]:
        """The devices that count for it."""
        ...

    @property
    def meter(self) -> EnergyMeter:
        """The meter of its devices."""
        ...

    @property
    def thread(self) -> threading.Thread:
        """The thread that trains."""
        ...

    @property
    def is_orphaned(self) -> bool:
        """Whether that thread has ended."""
        ...

    @property
    def has_begun(self) -> bool:
        """Whether an epoch has begun since the start."""
        ...

    @property
    def is_under_way(self) -> bool:
        """Whether its training is known to go on."""
        ...

    def close_if_cut_short(self) -> bool:
        """Close the run if its training has ended. Return whether it had."""
        ...

    def give_way(self) -> object:
        """Close it for good, because another run takes its place."""
        ...

    def close(self, *, together: bool = True) -> RunRecord:
        """Close it."""
        ...


class LiveRuns:
    """The runs that go on, on any thread. A run is held from its start to its close."""

    def __init__(self) -> None:
        # Single operations on a dict take no lock, so a signal handler may make them too.
        self._runs: dict[LiveRun, None] = {}

    def add(self, run: LiveRun) -> None:
        """Hold a run that has started."""
        self._runs[run] = None

    def discard(self, run: LiveRun) -> None:
        """Let go of a run, if it is held."""
        self._runs.pop(run, None)

    def on(self, devices: Collection[str]) -> list[LiveRun]:
        """Return the runs on any of some devices, the oldest first.

        Args:
            devices: Names of the devices.
        """
        return [run for run in list(self._runs) if run.is_live and not run.devices.isdisjoint(devices)]

    def on_this_thread(self) -> LiveRun | None:
        """Return a run that goes on around the caller, on this thread, or None."""
        here = threading.current_thread()
        runs = [run for run in list(self._runs) if run.is_live and run.thread is here]
        return next((run for run in runs if not run.close_if_cut_short()), None)

    def make_room(self, devices: Collection[str], run_id: str) -> bool:
        """Close the runs on some devices that cannot go on beside a new run.

        A run cannot go on if its thread has ended, or if its thread is this one and does something else now. A run on
        another thread goes on and shares the devices. So does a run within whose training the new run begins.

        Args:
            devices: Names of the devices.
            run_id: Name of the new run.

        Returns:
            Whether there were such runs.
        """
        here = threading.current_thread()
        others = [run for run in self.on(devices) if run.is_orphaned or (run.thread is here and not run.is_under_way)]
        for other in others:
            if not other.close_if_cut_short():
                logger.warning(
                    "Run %s is closed, because %s starts on the same devices. One monitor per training is enough.",
                    other.run_id,
                    run_id,
                )
                other.give_way()
        return bool(others)

    def end_cut_short(self, run_id: str) -> None:
        """Close the runs of a name whose training has ended without a report, so that their ledger holds everything.

        Args:
            run_id: The name.
        """
        for run in list(self._runs):
            if run.run_id == run_id and run.is_live:
                run.close_if_cut_short()

    def say_shared(self, run: LiveRun) -> None:
        """Warn, for both runs, that a run shares devices with others.

        Of two runs that start at the same moment, the later one here finds the other. A run that joins runs which have
        warned only keeps the sentence for its summary. So a search with many trials on threads warns once.

        Args:
            run: The new run.
        """
        others = [other for other in self.on(run.devices) if other is not run]
        is_known = any(_SHARED in other.notices.by_key for other in others)
        for other in others:
            common = run.meter.devices_shared_with(other.meter)
            for each in (run, other) if common else ():
                tell = each.notices.note if is_known else each.notices.say
                tell(_SHARED, _SHARES, each.run_id, ", ".join(sorted(common)))

    def close_orphans(self, run: LiveRun) -> None:
        """Close the other runs on the devices of a run whose thread has ended without closing them.

        Args:
            run: The run that goes on.
        """
        for other in self.on(run.devices):
            if other is not run and other.has_begun and other.is_orphaned:
                logger.warning("Run %s is closed, as the thread that trained it has ended.", other.run_id)
                other.close(together=False)


LIVE_RUNS: Final = LiveRuns()
"""The runs of this process."""

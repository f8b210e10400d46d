"""A sink on a thread of the worker."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from green_callbacks.accountant.notices import Notices
from green_callbacks.records import EpochRecord, History, RunRecord
from green_callbacks.sinks import RunContext, Sink
from green_callbacks.worker import Lane


class SinkLane:
    """A sink, its lane, and the number of records that it was given.

    Args:
        sink: The sink.
        lane: The lane of its tasks.
        notices: Receives a sink that fails or hangs.
    """

    def __init__(self, sink: Sink, lane: Lane, notices: Notices) -> None:
        self.lane = lane
        self._sink = sink
        self._notices = notices
        self._next = 0
        self._is_finished = False

    def take(self, run_id: str) -> bool:
        """Take the sink for a run. Return whether it is free, and say otherwise which run it serves.

        Args:
            run_id: Name of the run.
        """
        lane, holder = _TAKEN.setdefault(self._key, (self, run_id))
        if lane is self:
            return True
        self._notices.say(
            f"taken {self.lane.name}",
            "The sink %s serves run %s, so it shows nothing of run %s. The ledger holds the records. Make a new sink "
            "for each accountant.",
            type(self._sink).__name__,
            holder,
            run_id,
        )
        return False

    def free(self) -> None:
        """Let another run take the sink, unless it hangs."""
        is_hanging = self.lane.is_said and not self.lane.is_done
        if not is_hanging and _TAKEN.get(self._key, (None,))[0] is self:
            del _TAKEN[self._key]

    @property
    def _key(self) -> tuple[int, int]:
        return os.getpid(), id(self._sink)  # a fork has a sink of its own

    def at_edge(self) -> None:
        """Let the sink look at what only this thread can see. The only call that is made on the training thread."""
        try:
            self._sink.at_edge()
        # No look of a sink is worth a training, whatever it raises.
        except Exception as failure:  # noqa: BLE001
            self._notices.say(
                f"edge of {self.lane.name}",
                "The sink %s failed at an edge (%s: %s). The ledger holds the records that it misses. Training goes "
                "on.",
                type(self._sink).__name__,
                type(failure).__name__,
                failure,
            )

    def open(self, context: RunContext) -> None:
        """Open the sink. This and all later calls but :meth:`at_edge` are made on the worker's thread."""
        with self._noticing():
            self._sink.open(context)

    def note_if_it_hangs(self) -> None:
        """Note a sink that hangs, and withdraw the note when it returns. Called every second on another thread."""
        key = f"hung {self.lane.name}"
        if not self.lane.is_said:
            return
        if self.lane.is_done:
            self._notices.withdraw(key)
        else:
            self._notices.note(
                key,
                "The sink %s does not come back. The ledger holds the records that it misses. Training goes on.",
                type(self._sink).__name__,
            )

    def write(self, number: int, record: EpochRecord) -> None:
        """Write a record, unless the sink was given it before."""
        if number >= self._next:
            self._next = number + 1
            with self._noticing():
                self._sink.write(record)

    def rewind(self, before: History) -> None:
        """Tell the sink that epochs are repeated."""
        with self._noticing():
            self._sink.rewind(before)

    def finish(self, run: RunRecord) -> None:
        """Finish and close the sink, once."""
        if self._is_finished:
            return
        self._is_finished = True
        try:
            with self._noticing():
                self._sink.finish(run)
        finally:
            self._sink.close()
            self.free()

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """Note a sink that fails. The worker logs the exception."""
        try:
            yield
        except BaseException as failure:
            self._notices.note(
                f"sink {self.lane.name}",
                "The sink %s failed (%s: %s). The ledger holds the records that it misses. Training goes on.",
                type(self._sink).__name__,
                type(failure).__name__,
                failure,
            )
            raise


_TAKEN: Final[dict[tuple[int, int], tuple[SinkLane, str]]] = {}
"""The lane and the name of the run that a sink serves now, by the ids of the process and of the sink."""

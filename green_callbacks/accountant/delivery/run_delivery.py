"""The ledger and the sinks of a run, on threads of their own."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from green_callbacks.accountant.delivery.sink_lane import SinkLane
from green_callbacks.accountant.delivery.thread_watch import Pulse
from green_callbacks.accountant.notices import Notices
from green_callbacks.call_threads import Threads
from green_callbacks.ledger.run_ledger import RunLedger
from green_callbacks.records import EpochRecord, History, RunRecord
from green_callbacks.sinks import RunContext, Sink
from green_callbacks.text.log import get_logger
from green_callbacks.worker import Worker
from green_callbacks.worker.lane import Lane, Period

logger = get_logger(__name__)

DRAIN_SECONDS: Final = 10.0
"""Longest time that the close of a run waits for sinks and the disk, in s."""
_LAST_SECONDS: Final = 1.0
"""Shortest time for the end of the ledger, in s, even if the sinks have used all of :data:`DRAIN_SECONDS`."""
_UPLOAD_SECONDS: Final = 0.1
"""Longest time, in s, that the end of a run waits for the end of its ledger, which a sink may upload."""
STOP_SECONDS: Final = 0.15
"""Longest time that the close of a run waits for its other threads, in s."""


class Polled(Protocol):
    """A source or provider that is polled."""

    @property
    def poll_seconds(self) -> float | None:
        """Interval between two calls, in s, or None for no calls."""
        ...

    def poll(self) -> None:
        """Update the source or the provider."""
        ...


class Delivery:
    """Everything of a run that happens beside the training thread.

    Args:
        ledger: The ledger, or None for none.
        sinks: The sinks.
        threads: Starts threads.
        notices: Receives sinks and ledgers that fail. Defaults to a new list.
        shown: Number of records of the history that are not shown to the sinks. Defaults to 0.
    """

    def __init__(
        self,
        ledger: RunLedger | None,
        sinks: Sequence[Sink],
        threads: Threads,
        notices: Notices | None = None,
        *,
        shown: int = 0,
    ) -> None:
        self.ledger = ledger
        self.worker = Worker(threads=threads)
        self._notices = notices = notices or Notices()
        self._sinks = [SinkLane(sink, self.worker.lane(f"the sink {type(sink).__name__}"), notices) for sink in sinks]
        self._shown = shown
        self._threads = threads
        self._pulse: Pulse | None = None
        self._unended = tuple(self._sinks)
        self._has_ended = False
        self._farewells: list[tuple[Callable[[], object], Lane]] = []

    def open(self, context: RunContext) -> None:
        """Begin the ledger, and open the sinks.

        Args:
            context: The run.
        """
        if self.ledger:
            self.ledger.open()
        self._sinks = [each for each in self._sinks if each.take(context.run_id)]
        self._unended = tuple(self._sinks)
        for each in self._sinks:
            each.at_edge()
            self.worker.submit(partial(each.open, context), each.lane)

    def poll(self, polled: Polled, name: str | None = None) -> None:
        """Poll a source or a provider at once, and then at its own interval.

        Args:
            polled: The source or provider.
            name: Its name in messages. Defaults to the name of its class.
        """
        lane = self.worker.lane(f"the sensor or provider {name or type(polled).__name__}")
        self.worker.every(partial(getattr, polled, "poll_seconds"), polled.poll, lane, at_once=True)

    def every(self, seconds: float, task: Callable[[], object], name: str) -> None:
        """Repeat a task.

        Args:
            seconds: Interval between two beginnings, in s.
            task: The task.
            name: Its name in messages.
        """
        self.worker.every(lambda: seconds, task, self.worker.lane(name))

    def accompany(self, task: Callable[[], object], period: Period, farewell: Callable[[], object], name: str) -> None:
        """Repeat a task from now on until the end of the run, and do another task then.

        Args:
            task: The task.
            period: Returns the interval between two beginnings, in s, or None to end it.
            farewell: What to do at the end of the run.
            name: Name of both in messages.
        """
        lane = self.worker.lane(name)
        self._farewells.append((farewell, lane))
        self.worker.every(period, task, lane, at_once=True)

    def start(
        self, beat: Callable[[], object], beat_seconds: float, watch: Callable[[], object] = lambda: None
    ) -> None:
        """Start the threads.

        Args:
            beat: The heartbeat. It must not wait for anything that may hang.
            beat_seconds: Its interval, in s.
            watch: Called every second. It must not wait either. Defaults to nothing.
        """
        self._pulse = Pulse((self._look, watch), beat, beat_seconds)
        self._pulse.start(self._threads)
        self.worker.start()  # after the pulse, because a task of the worker may stop both

    def record(self, number: int, record: EpochRecord) -> None:
        """Hand a record to the ledger.

        Args:
            number: Its position in the history. The same record may be handed over twice.
            record: The record, without verdicts.
        """
        if self.ledger:
            self.ledger.record(number, record)

    def show(self, number: int, record: EpochRecord) -> None:
        """Hand a record to the sinks, with its verdicts, unless it was handed over before.

        Args:
            number: Its position in the history.
            record: The record.
        """
        if number != self._shown:
            return
        for each in self._sinks:
            each.at_edge()
            self.worker.submit(partial(each.write, number, record), each.lane)
        if self._sinks and not self.worker.has_threads:
            self.worker.drain(DRAIN_SECONDS)
        self._shown = number + 1

    def show_until(self, history: History, end: int) -> None:
        """Hand over records that an exception has kept from the sinks.

        Args:
            history: All records of the run.
            end: Position after the last of these records.
        """
        while self._shown < end:
            self.show(self._shown, history[self._shown])

    def raise_failure(self) -> None:
        """Wait for the sinks, and raise what one of them has raised."""
        self.worker.drain(DRAIN_SECONDS)
        self.worker.raise_failure()

    def rewind(self, before: History) -> None:
        """Tell the sinks that epochs are repeated.

        Args:
            before: The records so far, in which the repeated epochs lie outside epochs.
        """
        for each in self._sinks:
            self.worker.submit(partial(each.rewind, before), each.lane)

    def settle(self) -> None:
        """Wait until the ledger's file holds every record."""
        if self.ledger:
            self.ledger.settle()

    def flush(self, timeout_seconds: float = DRAIN_SECONDS) -> None:
        """Wait until the ledger's file holds every record, also on a slow disk.

        Args:
            timeout_seconds: Longest time to wait, in s.
        """
        if self.ledger:
            self.ledger.flush(timeout_seconds)

    def end(self, run: RunRecord) -> None:
        """Hand over the totals. A call after an interrupted one hands over the rest.

        Args:
            run: The totals.
        """
        if self.ledger and not self._has_ended:
            self.ledger.end(run.stop_reason)
            self.ledger.close(_UPLOAD_SECONDS)
        self._has_ended = True
        while self._farewells:
            self.worker.submit(*self._farewells.pop())
        while self._unended:
            each = self._unended[0]
            self.worker.submit(partial(each.finish, run), each.lane)
            self._unended = self._unended[1:]

    def finish(self, run: RunRecord) -> None:
        """Hand over the totals, and wait until everything is taken.

        Args:
            run: The totals.
        """
        self.end(run)
        deadline = time.monotonic() + DRAIN_SECONDS
        for lane in self.worker.drain(DRAIN_SECONDS):
            logger.warning(
                "%s of run %s did not come back within %g s. It goes on with its tasks as long as this process lives. "
                "The ledger is complete.",
                f"{lane.name[:1].upper()}{lane.name[1:]}",
                run.run_id,
                DRAIN_SECONDS,
            )
        for each in self._sinks:
            each.note_if_it_hangs()
        is_taken = self.ledger is None or self.ledger.close(max(_LAST_SECONDS, deadline - time.monotonic()))
        if self.ledger and not is_taken and self.ledger.is_stuck:
            logger.warning(
                "The disk of the ledger %s did not take all of run %s within %g s. The rest is written when the disk "
                "comes back, as long as this process lives.",
                self.ledger.path,
                run.run_id,
                DRAIN_SECONDS,
            )

    def note_ledger(self) -> None:
        """Note records that are missing from the ledger, or mixed with the records of another run, for the summary."""
        ledger = self.ledger
        if ledger and ledger.refusal is not None:
            self._notices.note(
                "ledger",
                "The ledger %s could not be written (%s), so records are missing from it. Free the disk, or name "
                "another file with ledger=….",
                ledger.path,
                ledger.refusal,
            )
        if ledger and ledger.has_others:
            self._notices.note(
                "ledger of others",
                "Another run has written to the ledger %s at the same time, so the records of both are mixed. Give "
                "each run a file of its own.",
                ledger.path,
            )

    def stop(self) -> None:
        """End the threads, except threads that hang. The threads of the ledger end by themselves."""
        if self._pulse is not None:
            self._pulse.stop(STOP_SECONDS)
        self.worker.stop(STOP_SECONDS)
        for each in self._sinks:
            each.free()
        if self.ledger:
            self.ledger.close(0.0)

    def _look(self) -> None:
        self.worker.look()
        for each in self._sinks:
            each.note_if_it_hangs()
        if self.ledger:
            self.ledger.look()

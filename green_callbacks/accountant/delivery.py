"""What happens beside training: the ledger is written, sinks are fed, sensors polled, and what hangs is noticed."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final, Protocol

from green_callbacks.accountant.notices import Notices
from green_callbacks.call_threads import Threads, ring
from green_callbacks.ledger.run_ledger import RunLedger
from green_callbacks.records import EpochRecord, History, RunRecord
from green_callbacks.sinks import RunContext, Sink
from green_callbacks.text.log import get_logger
from green_callbacks.worker import Lane, Worker

logger = get_logger(__name__)

DRAIN_SECONDS: Final = 10.0
"""How long the close of a run waits for sinks and the disk, in s."""
PULSE_SECONDS: Final = 1.0
"""How often it is looked whether something hangs, in s."""
_LAST_SECONDS: Final = 1.0
"""What the disk is given at least for the end of the ledger, in s, should the sinks have taken all the time."""
STOP_SECONDS: Final = 0.15
"""How long the close of a run waits for threads that are neither the ledger's nor a sink's, in s."""


class Polled(Protocol):
    """A source or provider that wants to be called now and then."""

    @property
    def poll_seconds(self) -> float | None:
        """How often, in s; None for never."""
        ...

    def poll(self) -> None:
        """Do what must be done."""
        ...


class Delivery:
    """Everything of a run that is not on the training thread.

    Args:
        ledger: The ledger; None for none.
        sinks: Where else records go.
        threads: What starts threads.
        notices: What says that a sink fails.
    """

    def __init__(
        self, ledger: RunLedger | None, sinks: Sequence[Sink], threads: Threads, notices: Notices | None = None
    ) -> None:
        self.ledger = ledger
        self.worker = Worker(threads=threads)
        notices = notices or Notices()
        self._sinks = [_SinkLane(sink, self.worker.lane(f"the sink {type(sink).__name__}"), notices) for sink in sinks]
        self._threads = threads
        self._pulse: _Pulse | None = None
        self._unended = tuple(self._sinks)
        self._has_ended = False

    def open(self, context: RunContext) -> None:
        """Begin the ledger, and open the sinks.

        Args:
            context: What is known of the run.
        """
        if self.ledger:
            self.ledger.open()
        for each in self._sinks:
            self.worker.submit(partial(each.open, context), each.lane)

    def poll(self, polled: Polled, name: str | None = None) -> None:
        """Have a source or a provider polled: at once, and then as often as it wants to be.

        Args:
            polled: The source or provider.
            name: How to call it, in a message; the name of its class unless given.
        """
        lane = self.worker.lane(f"the sensor or provider {name or type(polled).__name__}")
        self.worker.every(partial(getattr, polled, "poll_seconds"), polled.poll, lane, at_once=True)

    def every(self, seconds: float, task: Callable[[], object], name: str) -> None:
        """Have something done again and again.

        Args:
            seconds: Time from one beginning to the next, in s.
            task: What to do.
            name: How to call it, in a message.
        """
        self.worker.every(lambda: seconds, task, self.worker.lane(name))

    def start(
        self, beat: Callable[[], object], beat_seconds: float, watch: Callable[[], object] = lambda: None
    ) -> None:
        """Start the threads.

        Args:
            beat: Called now and then; must not wait for anything that may hang.
            beat_seconds: How often, in s.
            watch: Called every second; neither must this. Defaults to nothing.
        """
        self.worker.start()
        self._pulse = _Pulse((self._look, watch), beat, beat_seconds)
        self._pulse.start(self._threads)

    def record(self, number: int, record: EpochRecord) -> None:
        """Hand a record to the ledger.

        Args:
            number: Its position in the history; it may be handed over twice.
            record: The record, without verdicts.
        """
        if self.ledger:
            self.ledger.record(number, record)

    def show(self, number: int, record: EpochRecord) -> None:
        """Hand a record to the sinks, with its verdicts.

        Args:
            number: Its position in the history; it may be handed over twice.
            record: The record.
        """
        if not self._sinks:
            return
        for each in self._sinks:
            self.worker.submit(partial(each.write, number, record), each.lane)
        if not self.worker.has_threads:
            self.worker.drain(DRAIN_SECONDS)

    def rewind(self, before: History) -> None:
        """Tell the sinks that epochs are done again.

        Args:
            before: The records so far, in which those that are done again lie outside epochs.
        """
        for each in self._sinks:
            self.worker.submit(partial(each.rewind, before), each.lane)

    def settle(self) -> None:
        """Wait until the ledger's file holds what was handed over."""
        if self.ledger:
            self.ledger.settle()

    def flush(self, timeout_seconds: float = DRAIN_SECONDS) -> None:
        """Wait until the ledger's file holds what was handed over, and give a slow disk its time.

        Args:
            timeout_seconds: How long to wait at most, in s.
        """
        if self.ledger:
            self.ledger.flush(timeout_seconds)

    def end(self, run: RunRecord) -> None:
        """Hand over the totals. What an interrupt kept from being handed over is when this is called again.

        Args:
            run: The totals.
        """
        if self.ledger and not self._has_ended:
            self.ledger.end(run.stop_reason)
        self._has_ended = True
        while self._unended:
            each = self._unended[0]
            self.worker.submit(partial(each.finish, run), each.lane)
            self._unended = self._unended[1:]

    def finish(self, run: RunRecord) -> None:
        """Wait until all has been taken, the totals last.

        Args:
            run: The totals.
        """
        self.end(run)
        deadline = time.monotonic() + DRAIN_SECONDS
        for lane in self.worker.drain(DRAIN_SECONDS):
            logger.warning(
                "%s of run %s did not come back within %g s. It goes on with what it was told as long as this process "
                "lives; the ledger is complete.",
                f"{lane.name[:1].upper()}{lane.name[1:]}",
                run.run_id,
                DRAIN_SECONDS,
            )
        for each in self._sinks:
            each.note_if_it_hangs()
        is_taken = self.ledger is None or self.ledger.close(max(_LAST_SECONDS, deadline - time.monotonic()))
        if self.ledger and not is_taken and self.ledger.is_stuck:
            logger.warning(
                "The disk of the ledger %s did not take all of run %s within %g s. What is missing is written when it "
                "comes back, as long as this process lives.",
                self.ledger.path,
                run.run_id,
                DRAIN_SECONDS,
            )

    def stop(self) -> None:
        """End the threads but those that hang; the ledger's end by themselves."""
        if self._pulse is not None:
            self._pulse.stop(STOP_SECONDS)
        self.worker.stop(STOP_SECONDS)
        if self.ledger:
            self.ledger.close(0.0)

    def _look(self) -> None:
        self.worker.look()
        for each in self._sinks:
            each.note_if_it_hangs()
        if self.ledger:
            self.ledger.look()


class _SinkLane:
    """A sink, its lane, and which records it has been given."""

    def __init__(self, sink: Sink, lane: Lane, notices: Notices) -> None:
        self.lane = lane
        self._sink = sink
        self._notices = notices
        self._next = 0
        self._is_finished = False

    def open(self, context: RunContext) -> None:
        """Open the sink; on the worker's thread, as all that follows."""
        with self._noticing():
            self._sink.open(context)

    def note_if_it_hangs(self) -> None:
        """Note that the sink does not come back, as long as that is so; called now and then on another thread."""
        key = f"hung {self.lane.name}"
        if not self.lane.is_said:
            return
        if self.lane.is_done:
            self._notices.withdraw(key)
        else:
            self._notices.note(
                key,
                "The sink %s does not come back. What it missed is in the ledger; training goes on.",
                type(self._sink).__name__,
            )

    def write(self, number: int, record: EpochRecord) -> None:
        """Write a record, unless it was given before."""
        if number >= self._next:
            self._next = number + 1
            with self._noticing():
                self._sink.write(record)

    def rewind(self, before: History) -> None:
        """Tell the sink that epochs are done again."""
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

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """Note that the sink fails; whoever looks after the worker's tasks logs what it raised."""
        try:
            yield
        except BaseException as failure:
            self._notices.note(
                f"sink {self.lane.name}",
                "The sink %s failed (%s: %s). What it missed is in the ledger; training goes on.",
                type(self._sink).__name__,
                type(failure).__name__,
                failure,
            )
            raise


class _Pulse:
    """A thread that looks after the others every second, and beats now and then."""

    def __init__(self, looks: Sequence[Callable[[], object]], beat: Callable[[], object], beat_seconds: float) -> None:
        self._looks = looks
        self._beat = beat
        self._beat_seconds = beat_seconds
        self._stop = threading.Lock()
        self._stop.acquire()
        self._thread: threading.Thread | None = None

    def start(self, threads: Threads) -> None:
        """Start the thread."""
        self._thread = threads.start(self._run, "green_callbacks pulse")

    def stop(self, timeout_seconds: float) -> None:
        """End the thread, and wait for it a while unless this is it."""
        ring(self._stop)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        due = time.monotonic() + self._beat_seconds
        while not self._stop.acquire(timeout=min(PULSE_SECONDS, self._beat_seconds)):
            for look in self._looks:
                self._guarded(look)
            if time.monotonic() >= due:
                due = time.monotonic() + self._beat_seconds
                self._guarded(self._beat)

    @staticmethod
    def _guarded(work: Callable[[], object]) -> None:
        try:
            work()
        # This thread looks after all others, so nothing that goes wrong may end it. It is logged, not hidden.
        except Exception:
            logger.exception("Looking after the threads of a run failed; training goes on.")

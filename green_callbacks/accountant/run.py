"""One stretch of a run: all that is live between its start and its close."""

import atexit
import inspect
import threading
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final

from green_callbacks.accountant.delivery import DRAIN_SECONDS, Delivery
from green_callbacks.accountant.grid import Grid
from green_callbacks.accountant.guarded import Guarded
from green_callbacks.accountant.options import Settings
from green_callbacks.accountant.parts import Parts
from green_callbacks.accountant.project import with_project_spending
from green_callbacks.accountant.ranks import PHASES, Lap, Slots
from green_callbacks.accountant.resume import RunState
from green_callbacks.accountant.segment import Segment
from green_callbacks.accountant.surroundings import Surroundings, head_of
from green_callbacks.accountant.timeline import SHARED_EDGE_SECONDS, Timeline
from green_callbacks.accountant.totals import totals
from green_callbacks.accountant.verdicts import Board
from green_callbacks.carbon import ConstantIntensity, PolledIntensity, resolve_intensity
from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger import RunLedger
from green_callbacks.meter import EnergyMeter
from green_callbacks.process import process_id
from green_callbacks.records import Checkpoints, EpochRecord, Plan, RunRecord
from green_callbacks.records.codec import decode_intensity, encode_intensity
from green_callbacks.sinks import RunContext, Sink, TensorBoardSink
from green_callbacks.sources import discover
from green_callbacks.summary import Summary
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

HEARTBEAT_SECONDS: Final = 60.0
"""How often the ledger is told what has been used since the last record, in s: what a killed run leaves uncounted."""
WATCH_SECONDS: Final = 2.0
"""How long after an exception that nobody tells of time may still be counted, in s."""

_live: "weakref.WeakSet[Run]" = weakref.WeakSet()  # by reference only: a run that ends is gone from it


class Run:
    """One stretch of a run, from start to close, in the process that started it.

    Args:
        settings: The checked options.
        around: What the adapter knows.
        state: The run's name, file and records so far.
    """

    def __init__(self, settings: Settings, around: Surroundings, state: RunState) -> None:
        self.run_id = state.run_id
        self.history = state.history
        self.is_closed = False
        self._is_shut = self._is_closing_wanted = False
        self._closing = threading.RLock()
        self._settings = settings
        self._around = around
        self._state = state
        self._pid = process_id()
        self._shown = len(self.history)
        self._guarded = Guarded()
        sources = discover(gpu_uuids=around.gpu_uuids) if settings.sources is None else settings.sources
        self._meter = EnergyMeter(sources, settings.clock)
        policies = settings.policies
        if around.ranks.rank == 0:
            policies = with_project_spending(policies, state.ledger)
        self.board = Board(policies, around.plan, strict=settings.strict)
        self._parts = Parts(settings.decide_every, around.ranks, settings.clock)
        self._has_begun = self._is_cut_short = False
        self._delivery: Delivery | None = None
        self._grid: Grid | None = None
        try:
            self._open()
        except BaseException:
            self._let_go()
            raise

    @property
    def ledger(self) -> RunLedger | None:
        """The ledger of this stretch; None if there is none."""
        return self._delivery.ledger if self._delivery else None

    def _sinks(self) -> Sequence[Sink]:
        if self._around.ranks.rank != 0:
            return ()
        chosen = self._settings.sinks
        return [TensorBoardSink(), Summary()] if chosen is None else chosen

    def _open(self) -> None:
        self._begin_measuring()
        self._told = self._context()
        self._delivery = delivery = Delivery(self._new_ledger(), self._sinks(), self._meter.threads)
        delivery.open(self._told)
        for source in self._meter.open_sources:
            if source.poll_seconds is not None:
                delivery.poll(source)
        if isinstance(self._provider, PolledIntensity):
            delivery.poll(self._provider)
        if self._around.is_running is not None:
            closing = partial(self._close_unless, self._around.is_running)
            delivery.every(WATCH_SECONDS, closing, "the look at whether training goes on")
        delivery.start(self._beat, HEARTBEAT_SECONDS)
        _live.add(self)
        atexit.register(self.close, together=False)
        self.board.announce()
        delivery.settle()

    def _new_ledger(self) -> RunLedger | None:
        state = self._state
        if state.ledger is None or self._around.ranks.rank != 0:
            return None
        head = head_of(self._told, self._settings.labels, self._slots.slots)
        return RunLedger(
            state.ledger,
            head,
            self.history,
            held=state.held,
            checkpoints=state.checkpoints,
            threads=self._meter.threads,
            predecessor=state.predecessor,
        )

    def _begin_measuring(self) -> None:
        self._meter.open(strict=self._settings.strict)
        if self._replace_live_runs(self._meter.read(patient=True).tallies.keys()):
            self._meter.close()
            self._meter.open()
        first = self._meter.read(patient=True)
        self._meter.warn_of_silent()
        devices = {n: (t.reading.component, t.reading.flags) for n, t in first.tallies.items()}
        self._slots = Slots(self._around.ranks, devices, self._meter.infos())
        self._meter.keep(self._slots.owned)
        self._begin_grid()
        self._timeline = Timeline(self._meter, self._settings.clock, first, self._slots.owned)

    def _replace_live_runs(self, devices: Collection[str]) -> bool:
        """Close every live run of this process on the same devices, so that no joule is counted twice."""
        others = [run for run in _live if run.is_live and not run.devices.isdisjoint(devices)]
        for other in others:
            logger.warning(
                "Run %s is closed since %s starts on the same devices; one monitor per training is enough.",
                other.run_id,
                self.run_id,
            )
            other.close(together=False)
        return bool(others)

    def _begin_grid(self) -> None:
        """Take rank 0's intensity on every rank; only rank 0 guesses a place, with one warning."""
        settings, ranks = self._settings, self._around.ranks
        provider, now = settings.intensity, None
        if ranks.rank == 0 and provider is None:
            provider = resolve_intensity(settings.location, settings.carbon_intensity)
        if provider is not None:
            self._grid = Grid(provider, settings.clock, self._meter.threads)
            now = self._grid.now()
        gathered = ranks.gather(encode_intensity(now) if now else None)
        self._provider = provider or ConstantIntensity(decode_intensity(gathered[0]))
        self._grid = self._grid or Grid(self._provider, settings.clock, self._meter.threads)

    def _context(self) -> RunContext:
        return RunContext(
            run_id=self.run_id,
            folder=self._around.folder,
            before=self.history.copy(),
            history=self.history,
            plan=self._around.plan,
            monitor=self.board.monitor,
            mode=self.board.mode,
            pue_source=self._settings.pue.source,
            writer=self._around.writer,
            streams_scalars=self._around.streams_scalars,
            checkpoints=self._state.checkpoints,
        )

    def watch(self, metric: str, mode: str) -> None:
        """Watch a metric beside the policies."""
        self.board.watch(metric, mode)
        self._told.monitor, self._told.mode = self.board.monitor, self.board.mode
        if self.ledger:
            self.ledger.watch(self.board.monitor, self.board.mode)

    def keep_checkpoints(self, metric: str, kept: Checkpoints) -> None:
        """Note which checkpoint files of the front of a metric there are from now on."""
        if self.ledger:
            self.ledger.keep_checkpoints(metric, kept)

    def replan(self, plan: Plan) -> None:
        """Take a plan that became known after the start."""
        if plan != self._told.plan:
            self.board.plan = self._told.plan = plan
            if self.ledger:
                self.ledger.replan(plan)

    @property
    def step(self) -> int | None:
        """Optimizer steps so far; None if unknown."""
        step = self._timeline.segment.seen.step
        return step if step is not None else self.history.steps

    @property
    def devices(self) -> frozenset[str]:
        """The devices that count on this rank, by their names on this host."""
        return self._slots.owned

    @property
    def is_live(self) -> bool:
        """Whether the run goes on, in this process: a fork of it is not the run."""
        return not self.is_closed and self._pid == process_id()

    @property
    def epoch_is_open(self) -> bool:
        """Whether an epoch has begun and not ended, in a run that goes on."""
        return self._timeline.segment.epoch is not None and self.is_live

    @property
    def is_in_epoch(self) -> bool:
        """Whether the open interval is an epoch, or a part of one."""
        return self._timeline.segment.epoch is not None

    def rewind(self, epoch: int, step: int | None) -> None:
        """Count what was recorded of an epoch and later ones, beyond a step, as outside epochs: it is done again."""
        self.history.rewind(epoch, step)
        if self.ledger:
            self.ledger.rewind(epoch, step)

    def begin_epoch(self, epoch: int) -> None:
        """End what lies outside epochs, and begin an epoch."""
        if not self._has_begun:
            self._has_begun = True
            self.board.refuse_if_spent(self.history, self._around.ranks)
        self._at_edge(self._timeline.begin_epoch, epoch)
        self._is_cut_short = False
        self._parts.begin()

    def phase(self, name: str) -> str:
        """End the lap at hand and begin one in another phase; return the phase before."""
        if name not in PHASES:
            msg = f"There is no phase {name!r}; there are {', '.join(PHASES)}."
            raise ConfigurationError(msg)
        before = self._timeline.segment.phase
        if self.is_live and name != before:
            self._at_edge(self._timeline.mark, name)
        return before

    def observe(self, metrics: Mapping[str, Any], counts: Mapping[str, Any]) -> None:
        """Note what is fresh in the open interval."""
        self._timeline.segment.seen.note(metrics, counts, self._guarded)

    def count_steps(self, steps: int) -> bool:
        """Count steps; return whether a part of the epoch is due to end."""
        return self._parts.count(steps)

    def end_part(self) -> EpochRecord:
        """End a part of the epoch, record it, decide, and begin the next."""
        going_on = self.board.stop_reason is None
        record = self._record(complete=True, together=True, goes_on=True)
        self._is_cut_short |= going_on and self.board.stop_reason is not None
        self._parts.begin()
        return record

    def end_epoch(self, *, complete: bool | None = None, together: bool = True) -> EpochRecord:
        """End the epoch, record it, decide, and begin what lies outside epochs.

        Args:
            complete: Whether it ran to its end; unless given, if no decision inside it stopped the run.
            together: Whether all ranks call this.
        """
        whole = not self._is_cut_short if complete is None else complete
        return self._record(complete=whole, together=together)

    def _record(self, *, complete: bool, together: bool, goes_on: bool = False) -> EpochRecord:
        """End the open interval, keep its record and that of what lay outside before it, and decide."""
        made: list[EpochRecord] = []
        self._at_edge(self._end, made, complete, together, goes_on)
        record = made[-1]
        if self._around.ranks.rank == 0 and _is_worth_keeping(record):
            record = self._decided(made)
        if together and record.epoch is not None:
            self.board.agree(self._around.ranks)
        return record

    def _end(self, made: list[EpochRecord], complete: bool, together: bool, goes_on: bool) -> None:  # noqa: FBT001
        """End the open interval; put what it and what lay outside before it came to into a list."""

        def rows(intervals: Sequence[tuple[Segment, Lap]]) -> Sequence[EpochRecord]:
            laps = [lap for _, lap in intervals]
            laps = self._slots.total(laps) if together else [self._slots.local(lap) for lap in laps]
            made.extend(
                self._row(segment, lap, complete=complete, closes_epoch=not goes_on)
                for (segment, _), lap in zip(intervals, laps, strict=True)
            )
            is_kept = self._around.ranks.rank == 0
            return [row for row in made if _is_worth_keeping(row)] if is_kept else ()

        self._timeline.end(rows, len(self.history), goes_on=goes_on)

    def _at_edge(self, work: Callable[..., object], *arguments: Any) -> None:  # noqa: ANN401  whatever the work takes
        """Make an edge; a close that a signal handler asked for in the middle of it comes right after."""
        timeline = self._timeline
        try:
            with timeline.edges:
                if timeline.opened.rows:  # of an edge that an exception broke off
                    self._keep_rows()
                work(*arguments)
                if timeline.opened.rows:
                    self._keep_rows()
        finally:
            if self._is_closing_wanted:
                self.close(together=False)

    @property
    def _is_at_edge(self) -> bool:
        """Whether this very thread is in the middle of an edge: a signal handler may ask.

        The stack tells: a handler runs on top of what it came into. A flag could be left set by an interrupt.
        """
        frame = inspect.currentframe()
        while frame is not None:
            if frame.f_code is _AT_EDGE and frame.f_locals.get("self") is self:
                return True
            frame = frame.f_back
        self._timeline.free_edges()
        return False

    def _keep_rows(self) -> None:
        """Let the history and the ledger have the records of the last edge; does nothing for those they have."""
        opened = self._timeline.opened
        if len(self.history) == opened.position:
            self.history.extend(opened.rows)
        if self._delivery:
            for number, row in enumerate(opened.rows, start=opened.position):
                self._delivery.record(number, row)
        self._timeline.opened = opened._replace(rows=())

    def _decided(self, made: Sequence[EpochRecord]) -> EpochRecord:
        """Ask the policies about the last record, and show it to the sinks; the ledger has it already."""
        *outside, record = made
        last = len(self.history) - 1
        if record.epoch is not None:
            verdicts = self.board.decide(self.history, record)
            if verdicts and self.ledger:
                self.ledger.verdicts(verdicts)
            record = record._replace(verdicts=verdicts) if verdicts else record
        if self._delivery:
            self._delivery.settle()  # whoever is shown a record finds it in the ledger
        kept = [row for row in outside if _is_worth_keeping(row)]
        self._show(last - len(kept))
        for number, row in enumerate((*kept, record), start=last - len(kept)):
            self._show_one(number, row)
        if self._settings.strict:
            self._raise_failure()
        return record

    def _show(self, until: int) -> None:
        """Show the sinks what an exception has kept them from seeing, up to a row of the history."""
        while self._shown < until:
            self._show_one(self._shown, self.history[self._shown])

    def _show_one(self, number: int, record: EpochRecord) -> None:
        if self._delivery and self._shown == number:
            self._delivery.show(number, record)
            self._shown = number + 1

    def _raise_failure(self) -> None:
        if self._delivery:
            self._delivery.worker.drain(DRAIN_SECONDS)
            self._delivery.worker.raise_failure()

    def _row(self, segment: Segment, lap: Lap, *, complete: bool, closes_epoch: bool = True) -> EpochRecord:
        seen = segment.seen
        assert self._grid is not None  # noqa: S101  it is there from the start
        return EpochRecord(
            epoch=segment.epoch,
            started_at=segment.first.when,
            duration_seconds=lap.seconds,
            devices=lap.devices,
            intensity=self._grid.over(lap.pieces),
            pue=self._settings.pue.value,
            step=seen.step,
            closes_epoch=closes_epoch or segment.epoch is None,
            complete=complete,
            phases=lap.phases,
            metrics=seen.metrics,
            learning_rate=seen.learning_rate,
            samples=lap.samples,
            tokens=lap.tokens,
            flops=lap.flops,
        )

    def _beat(self) -> None:
        """Tell the ledger what has been used since the last record, in case there is no next one.

        The edge that this takes also tells when the energy was used, for an intensity that changes meanwhile.
        """
        self._meter.refresh_slow()
        self._timeline.if_free(self._tell_what_is_used)

    def _tell_what_is_used(self) -> None:
        """Say it while no edge is made: after a record that tells of it, it would count twice."""
        if self.is_closed:
            return
        edge = self._timeline.mark()
        if self.ledger is None:
            return
        since = Segment.begun(self._timeline.opened.recorded_until, "other")
        since = since.marked(edge, self._slots.owned)
        if since.seconds > SHARED_EDGE_SECONDS:
            lap = self._slots.local(since.lap(self._slots.owned))
            self.ledger.heartbeat(self._row(since, lap, complete=False))

    def close(self, *, together: bool = True) -> RunRecord:
        """Record what is open, hand everything over, and let go of all that is live; safe to call again.

        Whoever calls while the worker closes the run waits for that, but not for ever. The worker does not wait:
        who closes the run waits for the worker. A signal handler that comes in the middle of an edge is told of the
        last complete one, which is on the disk by then; the run is closed right after that edge.
        """
        if self._pid != process_id():
            return self._totals()
        if self._is_at_edge:
            self._is_closing_wanted = True
            if self._delivery:
                self._delivery.flush()
            return self._totals()
        patience_seconds = 0.0 if self._delivery and self._delivery.worker.is_current else DRAIN_SECONDS
        if self._closing.acquire(timeout=patience_seconds):
            try:
                self._close(together=together)
            finally:
                self._closing.release()
        return self._totals()

    def _close(self, *, together: bool) -> None:
        if self._is_shut:
            return
        _live.discard(self)
        try:
            if not self.is_closed:
                self._record_rest(together=together)
        finally:
            self.is_closed = True
        self._shut_down()
        if self._settings.strict:
            self._raise_failure()

    def _close_unless(self, is_running: Callable[[], bool]) -> None:
        """Close a run whose training has ended without a word."""
        if not is_running():
            logger.info("Run %s was cut short: it is recorded up to now.", self.run_id)
            self.close(together=False)

    def abandon(self) -> None:
        """Close a run that nobody holds any more, on its own thread: this one may be anywhere, with any lock held."""
        if self.is_live and self._delivery:
            self._delivery.worker.submit(partial(self.close, together=False))

    def _record_rest(self, *, together: bool) -> None:
        self._is_closing_wanted = False
        self._at_edge(_nothing)
        self._record(complete=self._timeline.segment.epoch is None, together=together)

    def _shut_down(self) -> None:
        self._at_edge(_nothing)
        self._show(len(self.history))
        run = self._totals()
        if self._delivery:
            self._delivery.end(run)  # an interrupt before this has come to its end leaves a run to be closed again
        try:
            if self._delivery:
                self._delivery.finish(run)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Let go of all that is live, whatever of it there is."""
        atexit.unregister(self.close)
        if self._delivery:
            self._delivery.stop()
        if self._grid:
            self._grid.close()
        self._meter.close()
        self._is_shut = True

    def _totals(self) -> RunRecord:
        path = self.ledger.path if self.ledger else None
        return totals(self.history, self.run_id, path, self.board.stop_reason)


def _nothing() -> None:
    """Make no edge: what an exception has kept from the history is put there all the same."""


_AT_EDGE: Final = Run._at_edge.__code__  # noqa: SLF001  our own


def _is_worth_keeping(record: EpochRecord) -> bool:
    """Tell whether a record says anything: what lies between two epochs often does not."""
    return record.epoch is not None or bool(record.duration_seconds or record.energy_joules or record.metrics)

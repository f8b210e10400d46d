"""All that is live between the start of a run and its close: sensors, the worker, the ledger, sinks."""

import atexit
import logging
import threading
import weakref
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from green_callbacks.accountant.options import Settings
from green_callbacks.accountant.parts import Parts
from green_callbacks.accountant.project import with_project_spending
from green_callbacks.accountant.ranks import PHASES, Lap, Slots
from green_callbacks.accountant.segment import Segment
from green_callbacks.accountant.surroundings import Surroundings
from green_callbacks.accountant.totals import totals
from green_callbacks.accountant.verdicts import Board
from green_callbacks.accountant.weighting import energy_weighted
from green_callbacks.carbon import CarbonIntensity, ConstantIntensity, PolledIntensity, resolve_intensity
from green_callbacks.errors import ConfigurationError
from green_callbacks.meter import EnergyMeter, Snapshot
from green_callbacks.process import process_id
from green_callbacks.records import Checkpoints, EpochRecord, History, Plan, RunRecord
from green_callbacks.records.codec import decode_intensity, encode_intensity
from green_callbacks.sinks import Ledger, RunContext, Sink, TensorBoardSink
from green_callbacks.sources import discover
from green_callbacks.summary import Summary
from green_callbacks.worker import Task, Worker

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS: Final = 60.0
WATCH_SECONDS: Final = 2.0
"""How long after an exception that nobody tells of time may still be counted."""
DRAIN_SECONDS: Final = 10.0
SHARED_EDGE_SECONDS: Final = 1e-3
"""Two edges closer than this are one: no sensor could tell them apart, and every reading costs."""

_live: "weakref.WeakSet[Run]" = weakref.WeakSet()  # by reference only: a run that ends is gone from it


class Run:
    """One stretch of a run, from start to close, in the process that started it.

    Args:
        settings: The checked options.
        around: What the adapter knows.
        run_id: Name of the run.
        ledger: The file of its records; None for none.
        version: Version of the package.
        history: The records of earlier stretches.
        checkpoints: The checkpoint files that are kept, by the metric whose front they are of; changes meanwhile.
    """

    def __init__(
        self,
        settings: Settings,
        around: Surroundings,
        *,
        run_id: str,
        ledger: Path | None,
        version: str,
        history: History,
        checkpoints: Mapping[str, Checkpoints],
    ) -> None:
        self.history = history
        self._checkpoints = checkpoints
        self.run_id = run_id
        self.is_closed = False
        self._closing = threading.RLock()
        self._edges = threading.RLock()
        self._settings = settings
        self._around = around
        self._pid = process_id()
        self._worker = Worker()
        self._ledger = Ledger(ledger, version) if ledger and around.ranks.rank == 0 else None
        self._sinks = self._chosen_sinks()
        sources = discover(gpu_uuids=around.gpu_uuids) if settings.sources is None else settings.sources
        self._meter = EnergyMeter(sources, settings.clock)
        policies = with_project_spending(settings.policies, ledger) if around.ranks.rank == 0 else settings.policies
        self.board = Board(policies, around.plan, strict=settings.strict)
        self._outside: Segment | None = None
        self._parts = Parts(settings.decide_every, around.ranks, settings.clock)
        self._has_begun = self._is_cut_short = False
        self._open()

    def _chosen_sinks(self) -> list[Sink]:
        if self._around.ranks.rank != 0:
            return []
        chosen = self._settings.sinks
        others = [TensorBoardSink(), Summary()] if chosen is None else chosen
        return [self._ledger, *others] if self._ledger else [*others]

    def _open(self) -> None:
        try:
            self._begin_measuring()
        except BaseException:
            self._meter.close()
            raise
        self._told = self._context()
        for sink in self._sinks:
            self._hand_over(sink, partial(sink.open, self._told))
        for source in self._meter.open_sources:
            if source.poll_seconds is not None:
                self._worker.submit(source.poll)
                self._worker.every(partial(getattr, source, "poll_seconds"), source.poll)
        if isinstance(self._intensity, PolledIntensity):
            self._worker.submit(self._intensity.poll)
            self._worker.every(partial(getattr, self._intensity, "poll_seconds"), self._intensity.poll)
        if self._around.ranks.rank == 0:
            self._worker.every(lambda: HEARTBEAT_SECONDS, self._heartbeat)
        if self._around.is_running is not None:
            self._worker.every(lambda: WATCH_SECONDS, partial(self._close_unless, self._around.is_running))
        self._worker.start()
        _live.add(self)
        atexit.register(self.close, together=False)
        self.board.announce()

    def _begin_measuring(self) -> None:
        self._meter.open(strict=self._settings.strict)
        if self._replace_live_runs(self._meter.read().tallies.keys()):
            self._meter.close()
            self._meter.open()
        first = self._meter.read()
        self._slots = Slots(
            self._around.ranks, {n: (t.reading.component, t.reading.flags) for n, t in first.tallies.items()}
        )
        self._meter.keep(self._slots.owned)
        self._intensity = self._agreed_intensity()
        self._segment = Segment(first, "other")
        self._recorded_until = first

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

    def _agreed_intensity(self) -> CarbonIntensity:
        """Return rank 0's intensity on every rank; only rank 0 guesses a place, with one warning."""
        settings, ranks = self._settings, self._around.ranks
        provider = settings.intensity
        if ranks.rank == 0 and provider is None:
            provider = resolve_intensity(settings.location, settings.carbon_intensity)
        now = provider.at(settings.clock.now()) if provider else None
        gathered = ranks.gather(encode_intensity(now) if now else None)
        return provider or ConstantIntensity(decode_intensity(gathered[0]))

    def _context(self) -> RunContext:
        before = History.from_columns(self.history.to_columns()) if self.history else History()
        return RunContext(
            run_id=self.run_id,
            folder=self._around.folder,
            before=before,
            history=self.history,
            plan=self._around.plan,
            monitor=self.board.monitor,
            mode=self.board.mode,
            pue_source=self._settings.pue.source,
            writer=self._around.writer,
            streams_scalars=self._around.streams_scalars,
            checkpoints=self._checkpoints,
        )

    def watch(self, metric: str, mode: str) -> None:
        """Watch a metric beside the policies."""
        self.board.watch(metric, mode)
        self._told.monitor, self._told.mode = self.board.monitor, self.board.mode

    def keep_checkpoints(self, metric: str, kept: Checkpoints) -> None:
        """Note which checkpoint files of the front of a metric there are from now on."""
        if self._ledger:
            self._hand_over(self._ledger, partial(self._ledger.keep_checkpoints, metric, kept))

    def replan(self, plan: Plan) -> None:
        """Take a plan that became known after the start."""
        if plan != self._told.plan:
            self.board.plan = self._told.plan = plan
            if self._ledger:
                self._hand_over(self._ledger, partial(self._ledger.replan, plan))

    @property
    def step(self) -> int | None:
        """Optimiser steps so far; None if unknown."""
        return self._segment.step if self._segment.step is not None else self.history.steps

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
        return self._segment.epoch is not None and self.is_live

    @property
    def is_in_epoch(self) -> bool:
        """Whether the open interval is an epoch, or a part of one."""
        return self._segment.epoch is not None

    def rewind(self, epoch: int, step: int | None) -> None:
        """Count what was recorded of an epoch and later ones, beyond a step, as outside epochs: it is done again."""
        self.history.rewind(epoch, step)
        if self._ledger:
            self._hand_over(self._ledger, partial(self._ledger.rewind, epoch, step))

    def begin_epoch(self, epoch: int) -> None:
        """End what lies outside epochs, and begin an epoch."""
        if not self._has_begun:
            self._has_begun = True
            self.board.refuse_if_spent(self.history, self._around.ranks)
        with self._edges:  # a heartbeat must not mark an interval that is over
            outside = self._segment
            edge = outside.last
            if self._settings.clock.monotonic() - edge.seconds > SHARED_EDGE_SECONDS:
                edge = self._mark()
            self._outside = outside
            self._segment = Segment(edge, "train", epoch)
        self._is_cut_short = False
        self._parts.begin()

    def phase(self, name: str) -> str:
        """End the lap at hand and begin one in another phase; return the phase before."""
        if name not in PHASES:
            msg = f"There is no phase {name!r}; there are {', '.join(PHASES)}."
            raise ConfigurationError(msg)
        before = self._segment.phase
        if self.is_live and name != before:
            self._mark(name)
        return before

    def _mark(self, phase: str | None = None) -> Snapshot:
        """End the lap at hand of the open interval; may be called on the worker as well."""
        with self._edges:
            edge = self._meter.read()
            self._segment.mark(edge, phase)
            return edge

    def observe(
        self, metrics: Mapping[str, float], learning_rate: float | None, samples: int | None, step: int | None
    ) -> None:
        """Note what is fresh in the open interval."""
        self._segment.observe(metrics, learning_rate, samples, step)

    def count_steps(self, steps: int) -> bool:
        """Count steps; return whether a part of the epoch is due to end."""
        return self._parts.count(steps)

    def end_part(self) -> EpochRecord:
        """End a part of the epoch, record it, decide, and begin the next."""
        going_on = self.board.stop_reason is None
        record = self._record(self._ended(goes_on=True), closes_epoch=False, complete=True, together=True)
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
        return self._record(self._ended(), complete=whole, together=together)

    def _ended(self, *, goes_on: bool = False) -> list[Segment]:
        """End the open interval; return it, after what lay outside before it if it is an epoch.

        Args:
            goes_on: Whether only a part of the epoch has ended.
        """
        with self._edges:
            edge = self._mark()
            ended, outside = self._segment, self._outside
            segments = [ended] if outside is None else [outside, ended]
            self._outside = None  # recorded once, whatever raises later
            self._segment = Segment(edge, ended.phase, ended.epoch) if goes_on else Segment(edge, "other")
            return segments

    def _record(
        self, segments: list[Segment], *, complete: bool, together: bool, closes_epoch: bool = True
    ) -> EpochRecord:
        """Record segments, of which the last may be an epoch; return its record, with the verdicts on it."""
        laps = [segment.lap(self._slots.owned) for segment in segments]
        laps = self._slots.total(laps) if together else [self._slots.local(lap) for lap in laps]
        self._recorded_until = segments[-1].last
        *outside, record = [
            self._row(*pair, complete=complete, closes_epoch=closes_epoch) for pair in zip(segments, laps, strict=True)
        ]
        if self._around.ranks.rank == 0:
            for row in outside:
                self._keep(row)
            record = self._keep(record)
        if together and record.epoch is not None:
            self.board.agree(self._around.ranks)
        return record

    def _keep(self, record: EpochRecord) -> EpochRecord:
        if record.epoch is None and not (record.duration_seconds or record.energy_joules or record.metrics):
            return record
        self.history.append(record)
        if record.epoch is not None:
            verdicts = self.board.decide(self.history, record)
            record = record._replace(verdicts=verdicts) if verdicts else record
        for sink in self._sinks:
            self._hand_over(sink, partial(sink.write, record))
        if self._settings.strict:
            self._raise_failure()
        return record

    def _hand_over(self, sink: Sink, task: Task) -> None:
        """Have a sink called on the worker; the ledger before the others, so that none that is slow holds it up."""
        self._worker.submit(task, first=sink is self._ledger)

    def _raise_failure(self) -> None:
        self._worker.drain(DRAIN_SECONDS)
        self._worker.raise_failure()

    def _row(self, segment: Segment, lap: Lap, *, complete: bool, closes_epoch: bool = True) -> EpochRecord:
        # By place: by name, a record takes three times as long to make.
        return EpochRecord(
            segment.epoch,
            segment.first.when,
            lap.seconds,
            lap.devices,
            energy_weighted(self._intensity, lap.pieces),
            self._settings.pue.value,
            segment.step,
            closes_epoch or segment.epoch is None,
            complete,
            lap.phases,
            segment.metrics,
            segment.learning_rate,
            lap.samples,
        )

    def _heartbeat(self) -> None:
        """Tell the ledger what has been used since the last record, in case there is no next one.

        The edge that this takes also tells when the energy was used, for an intensity that changes meanwhile.
        """
        since = Segment(self._recorded_until, "other")
        since.mark(self._mark())
        if self._ledger and not self.is_closed and since.seconds > SHARED_EDGE_SECONDS:
            lap = self._slots.local(since.lap(self._slots.owned))
            self._ledger.heartbeat(self._row(since, lap, complete=False))

    def close(self, *, together: bool = True) -> RunRecord:
        """Record what is open, hand everything over, and let go of all that is live; safe to call again.

        Whoever calls while the worker closes the run waits for that, but not for ever. The worker does not wait:
        who closes the run waits for the worker.
        """
        patience_seconds = 0.0 if self._worker.is_current else DRAIN_SECONDS
        if self._pid == process_id() and self._closing.acquire(timeout=patience_seconds):
            try:
                self._close(together=together)
            finally:
                self._closing.release()
        return self._totals()

    def _close(self, *, together: bool) -> None:
        if self.is_closed:
            return
        _live.discard(self)
        atexit.unregister(self.close)
        try:
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
        if self.is_live:
            self._worker.submit(partial(self.close, together=False))

    def _record_rest(self, *, together: bool) -> None:
        is_epoch = self._segment.epoch is not None
        self._record(self._ended(), complete=not is_epoch, together=together)

    def _shut_down(self) -> None:
        run = self._totals()
        for sink in self._sinks:
            self._hand_over(sink, partial(sink.finish, run))
        for sink in self._sinks:
            self._hand_over(sink, sink.close)
        if not self._worker.drain(DRAIN_SECONDS):
            logger.warning(
                "A sink of run %s did not come back within %g s: only the ledger is complete.",
                self.run_id,
                DRAIN_SECONDS,
            )
            self._worker.take_over()
        self._worker.stop(DRAIN_SECONDS)
        self._meter.close()

    def _totals(self) -> RunRecord:
        return totals(self.history, self.run_id, self._ledger.path if self._ledger else None, self.board.stop_reason)

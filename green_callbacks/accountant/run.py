"""One stretch of a run: all that is live between its start and its close."""

import atexit
import inspect
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final

from green_callbacks.accountant.beginning.options import Settings
from green_callbacks.accountant.beginning.project_spending import with_project_spending
from green_callbacks.accountant.beginning.resume import RunState
from green_callbacks.accountant.beginning.trainer_context import Surroundings, head_of
from green_callbacks.accountant.decisions.budget_checks import Looks
from green_callbacks.accountant.decisions.decision_interval import Parts
from green_callbacks.accountant.decisions.open_epoch import Inside
from green_callbacks.accountant.decisions.policy_board import PolicyBoard
from green_callbacks.accountant.delivery import DRAIN_SECONDS, Delivery
from green_callbacks.accountant.energy.grid_intensity import Grid
from green_callbacks.accountant.energy.open_interval import Segment
from green_callbacks.accountant.energy.pricing import Pricing
from green_callbacks.accountant.energy.timeline import Timeline
from green_callbacks.accountant.energy.unmeasured_gpus import LOOK_SECONDS, GpuWatch
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.live_runs import LiveRuns
from green_callbacks.accountant.loops.epoch_completeness import Wholeness
from green_callbacks.accountant.ranks import PHASES, Lap, Slots
from green_callbacks.analysis.totals import totals
from green_callbacks.carbon import ConstantIntensity, PolledIntensity, resolve_intensity
from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger import RunLedger
from green_callbacks.measurement.timed_reads import name_of
from green_callbacks.meter import EnergyMeter
from green_callbacks.process import process_id
from green_callbacks.records import Checkpoints, EpochRecord, Plan, RunRecord
from green_callbacks.records.codec import decode_intensity, encode_intensity
from green_callbacks.sinks import RunContext, Sink, TensorBoardSink
from green_callbacks.sources.discovery import Discovery, survey
from green_callbacks.summary import Summary
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

HEARTBEAT_SECONDS: Final = 60.0
"""How often the ledger is told what has been used since the last record, in s: what a killed run leaves uncounted."""
WATCH_SECONDS: Final = 2.0
"""How long after an exception that nobody tells of time may still be counted, in s."""

_LIVE: Final["LiveRuns[Run]"] = LiveRuns()


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
        self.notices = state.notices
        self.is_closed = False
        self._is_shut = self._is_closing_wanted = self._is_replaced = False
        self._closing = threading.RLock()
        self._settings = settings
        self._around = around
        self._state = state
        self._pid = process_id()
        self._shown = len(self.history)
        self._guarded = Guarded()
        found = survey(gpu_uuids=around.gpu_uuids) if settings.sources is None else Discovery(settings.sources)
        self._meter = EnergyMeter(found.sources, settings.clock)
        self._gpus = GpuWatch(around, self.notices, found.refusals, is_off=settings.is_off)
        policies = settings.policies
        if around.ranks.rank == 0:
            policies = with_project_spending(policies, state.ledger, state.run_id, self.notices)
        interval = settings.decide_every
        self.board = PolicyBoard(policies, around.plan, self.history, self.notices, interval, strict=settings.strict)
        self._parts = Parts(interval, around.ranks, settings.clock)
        self._has_begun = False
        self.wholeness = Wholeness(settings.clock, self.notices, self.history)
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
        self._delivery = delivery = Delivery(self._new_ledger(), self._sinks(), self._meter.threads, self.notices)
        self.notices.keep = self.ledger.notice if self.ledger else None
        self._begin_watching()
        delivery.open(self._told)
        for poll in self._meter.polls():
            delivery.poll(poll, name_of(poll.source))
        if isinstance(self._provider, PolledIntensity):
            delivery.poll(self._provider)
        if self._around.is_running is not None:
            delivery.every(WATCH_SECONDS, self._close_if_cut_short, "the look at whether training goes on")
        if self._gpus.is_watching:
            delivery.every(LOOK_SECONDS, self._gpus.look, "the look for GPUs")
        delivery.every(WATCH_SECONDS, self._close_orphans, "the look at the other runs of this process")
        delivery.start(self._beat, HEARTBEAT_SECONDS, self._watch)
        _LIVE.add(self)
        self._say_that_it_shares()
        atexit.register(self.close, together=False)
        self.board.announce()
        delivery.settle()

    def _begin_watching(self) -> None:
        """Get ready for what happens inside epochs, and say what is known to be missing."""
        ranks, clock, timeline = self._around.ranks, self._settings.clock, self._timeline
        assert self._grid is not None  # noqa: S101  it is there by now
        self._pricing = Pricing(timeline, self._slots, self._grid, self._settings.pue.value, self._gpus)
        is_looking = bool(self.board.budgets) and self._slots.are_measured
        self._inside = Inside(
            self.board,
            Looks(self.board.budgets, ranks, clock, self._pricing.spending) if is_looking else None,
            self._parts,
            timeline,
            clock,
            at_edge=self._at_edge,
            on_spent=self._around.on_spent,
            guarded=self._guarded,
        )
        if ranks.rank == 0:
            self.board.ability.at_start(self._around.plan, self._first_intensity, is_measured=self._slots.are_measured)

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
            notices=lambda: self.notices.by_key,
        )

    def _begin_measuring(self) -> None:
        self._meter.open(strict=self._settings.strict, borrow=True)
        first = self._meter.read(patient=True)
        if self._replace_live_runs(first.tallies.keys()):
            self._meter.close()
            self._meter.open(borrow=True)
            first = self._meter.read(patient=True)
        self._meter.warn_of_silent()
        devices = {n: (t.reading.component, t.reading.flags) for n, t in first.tallies.items()}
        devices |= self._gpus.begin(first.tallies, self._meter.refusals)
        self._slots = Slots(self._around.ranks, devices, self._meter.infos(), self._gpus.reason)
        self._gpus.agree(self._slots)
        self._note_missing_sources()
        shared = self._meter.share(self._slots.owned)
        self._begin_grid()
        self._timeline = Timeline(self._meter, self._settings.clock, shared or first, self._slots.owned)

    def _note_missing_sources(self) -> None:
        """Have the summary repeat which sources could not be opened."""
        for source in self._meter.sources:
            refusal = self._meter.refusals.get(source, "")
            is_said = bool(refusal) and refusal in self._gpus.reason
            if source not in self._meter.open_sources and not is_said:
                self.notices.note(
                    f"source {name_of(source)}",
                    "%s could not be opened, so what it measures is missing. `green-callbacks doctor` says why.",
                    name_of(source),
                )

    def _replace_live_runs(self, devices: Collection[str]) -> bool:
        """Close the live runs of this process on the same devices that cannot go on; return whether there were any.

        Those are the runs of this very thread, which does something else now, and of threads that have ended. A run
        that trains on another thread goes on, and shares the devices with this one; so does one within whose training
        this one begins, on the same thread.
        """
        here = threading.current_thread()
        others = [
            run
            for run in _LIVE.on(devices)
            if run.is_orphaned or (run.thread is here and not run._is_under_way)  # noqa: SLF001  of the same class
        ]
        for other in others:
            if not other._close_if_cut_short():  # noqa: SLF001  of the same class
                logger.warning(
                    "Run %s is closed since %s starts on the same devices; one monitor per training is enough.",
                    other.run_id,
                    self.run_id,
                )
                other._is_replaced = True  # noqa: SLF001  of the same class
                other.close(together=False)
        return bool(others)

    @property
    def _is_under_way(self) -> bool:
        """Whether its training is known to go on."""
        is_running = self._around.is_running
        return self._has_begun and is_running is not None and is_running()

    def _say_that_it_shares(self) -> None:
        """Say it for both runs: of two that start at the same moment, the later one here finds the other."""
        for other in _LIVE.on(self.devices):
            common = self._meter.devices_shared_with(other._meter)  # noqa: SLF001  of the same class
            for run in (self, other) if other is not self and common else ():
                run.notices.say(
                    "shared",
                    "Run %s shares %s with another run, which trains in this process at the same time. What both use "
                    "is divided between them in equal parts, flagged 'shared': it may be nothing of it, or all. Train "
                    "one after the other, or with a GPU each, to measure each by itself.",
                    run.run_id,
                    ", ".join(sorted(common)),
                )

    def say_if_it_trains_elsewhere(self) -> None:
        """Say that a second training begins with this run, on another thread than the one whose epoch is open."""
        if self.epoch_is_open and self.thread is not threading.current_thread() and not self.is_orphaned:
            self.notices.say(
                "two trainings",
                "Run %s is told of a second training, on another thread, and takes both for one: its epochs are of "
                "either. Give each training a monitor or an accountant of its own.",
                self.run_id,
            )

    def _close_orphans(self) -> None:
        """Close the runs on the same devices whose thread has ended without closing them: they use nothing more."""
        for run in _LIVE.on(self.devices):
            if run is not self and run.has_begun and run.is_orphaned:
                logger.warning("Run %s is closed, as the thread that trained it has ended.", run.run_id)
                run.close(together=False)

    @property
    def thread(self) -> threading.Thread:
        """The thread that trains: the one that began the last epoch, or else started the run."""
        return self._timeline.thread

    @property
    def is_orphaned(self) -> bool:
        """Whether the thread that trains has ended."""
        return not self.thread.is_alive()

    @property
    def has_begun(self) -> bool:
        """Whether an epoch has begun since the start."""
        return self._has_begun

    def _begin_grid(self) -> None:
        """Take rank 0's intensity on every rank; only rank 0 guesses a place, with one warning."""
        settings, ranks = self._settings, self._around.ranks
        provider, now = settings.intensity, None
        if ranks.rank == 0 and provider is None:
            provider = resolve_intensity(is_told=not self.notices.is_new("place"))
        if provider is not None:
            self._grid = Grid(provider, settings.clock, self._meter.threads, self.notices)
            now = self._grid.now()
        gathered = ranks.gather(encode_intensity(now) if now else None)
        self._first_intensity = now or decode_intensity(gathered[0])
        self._provider = provider or ConstantIntensity(self._first_intensity)
        self._grid = self._grid or Grid(self._provider, settings.clock, self._meter.threads, self.notices)

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
            is_resumed=self._around.is_resumed,
            checkpoints=self._state.checkpoints,
        )

    def watch(self, metric: str, mode: str) -> None:
        """Watch a metric beside the policies."""
        self.board.watch(metric, mode)
        self._told.monitor, self._told.mode = self.board.monitor, self.board.mode
        if self.ledger:
            self.ledger.watch(self.board.monitor, self.board.mode)

    def expect_validation(self, every_epochs: int | None) -> None:
        """Take note of how often the framework validates."""
        if self._around.ranks.rank == 0:
            self.board.monitors.expect_validation(every_epochs, self.board.plan)

    def expect_no_epochs(self) -> None:
        """Take note that training goes by steps."""
        if self._around.ranks.rank == 0 and self.board.plan.epochs is None:
            self.board.ability.by_steps_alone()

    def explain_missing(self, metrics: Collection[str], why: str, remedy: str) -> None:
        """Say of metrics why they do not come, as far as they are watched and have not come."""
        if self._around.ranks.rank == 0:
            self.board.monitors.explain(metrics, why, remedy)

    def keep_checkpoints(self, metric: str, kept: Checkpoints) -> None:
        """Note which checkpoint files of the front of a metric there are from now on."""
        if self.ledger:
            self.ledger.keep_checkpoints(metric, kept)

    def replan(self, plan: Plan) -> None:
        """Take a plan that became known after the start."""
        if plan != self._told.plan:
            self._told.plan = plan
            self.board.replan(plan)
            if self.ledger:
                self.ledger.replan(plan)

    @property
    def step(self) -> int | None:
        """Optimizer steps so far; None if unknown."""
        step = self._timeline.segment.seen.step
        return step if step is not None else self.history.steps

    @property
    def unrecorded_seconds(self) -> float:
        """Time in s from the end of the last record to the last edge."""
        opened = self._timeline.opened
        return opened.segment.last.seconds - opened.recorded_until.seconds

    @property
    def samples(self) -> int | None:
        """Training samples observed in the open interval; None if none were."""
        return self._timeline.segment.seen.samples

    @property
    def devices(self) -> frozenset[str]:
        """The devices that count on this rank, by their names on this host."""
        return self._slots.owned

    @property
    def is_live(self) -> bool:
        """Whether the run goes on, in this process: a fork of it is not the run."""
        return not self.is_closed and self._pid == process_id()

    @property
    def can_go_on(self) -> bool:
        """Whether it was closed in this process, in a loop of the user's own, which may train again.

        One that gave way to another on its thread does not: each would close the other, epoch by epoch.
        """
        is_ours = self._pid == process_id() and not self._is_replaced
        return self.is_closed and self._around.is_own_loop and is_ours

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
        if self._delivery:
            self._delivery.rewind(self.history.copy())

    def end_open_epoch(self, following: int) -> None:
        """End an epoch that is still open as incomplete, before another; say what a user's own loop leaves undone.

        Args:
            following: Index of the one that is to begin.
        """
        unended = self._timeline.segment.epoch
        if self._around.is_own_loop and self._around.ranks.rank == 0:
            self.board.ability.before(following, unended=unended, stop_reason=self.board.stop_reason)
        if unended is not None:
            self.end_epoch(complete=False)

    def begin_epoch(self, epoch: int) -> None:
        """End what lies outside epochs, and begin an epoch."""
        if not self._has_begun:
            self._has_begun = True
            self.board.refuse_if_spent(self.history, self._around.ranks)
        self._at_edge(self._timeline.begin_epoch, epoch)
        self.wholeness.begin()
        self._inside.begin(epoch)

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
        if self._settings.samples_per_epoch is not None:
            counts = {**counts, "samples": None}
        segment = self._timeline.segment
        before = len(segment.seen.metrics)
        segment.seen.note(metrics, counts, self._guarded)
        if segment.phase == "other" and metrics and before == len(segment.seen.metrics) > 0:  # for the second time
            self.board.budgets.say_without_epochs(has_observed=True)

    @property
    def looks(self) -> Looks | None:
        """What tells when it is time to look at the budgets inside an epoch; None where there are none."""
        return self._inside.looks

    def look(self) -> bool:
        """Look at the budgets inside the epoch; return whether the run is to stop."""
        return self.is_live and self._inside.look()

    def _watch(self) -> None:
        """Look after the epoch on a thread that is not that of training."""
        if self.is_live and self._around.ranks.rank == 0:
            self._inside.watch()

    def count_steps(self, steps: int) -> bool:
        """Count steps; return whether a part of the epoch is due to end."""
        return self._parts.count(steps)

    def end_part(self) -> EpochRecord:
        """End a part of the epoch, record it, decide, and begin the next."""
        going_on = self.board.stop_reason is None
        self.wholeness.gather(self._timeline.segment.seen.metrics)
        record = self._record(complete=True, together=True, goes_on=True)
        self._inside.is_cut_short |= going_on and self.board.stop_reason is not None
        self._parts.begin()
        return record

    def end_epoch(self, *, complete: bool | None = None, together: bool = True) -> EpochRecord:
        """End the epoch, record it, decide, and begin what lies outside epochs.

        Args:
            complete: Whether it ran to its end; unless given, if no decision inside it stopped the run.
            together: Whether all ranks call this.
        """
        whole = not self._inside.is_cut_short if complete is None else complete
        if whole:
            self.wholeness.learn(self._timeline.segment.seen.metrics)
        if whole and self._settings.samples_per_epoch is not None:  # of all ranks together, of which each counts
            is_first = self._around.ranks.rank == 0
            self._timeline.segment.seen.samples = self._settings.samples_per_epoch if is_first else 0
        return self._record(complete=whole, together=together)

    def end_left_epoch(self, *, is_certain: bool = False) -> None:
        """End the epoch of a loop over epochs that was left; does nothing if none is open.

        Args:
            is_certain: Whether it is known that it was left.
        """
        segment = self._timeline.segment
        if self.epoch_is_open and (is_certain or self.wholeness.is_left()):
            is_whole = self.wholeness.is_left_whole(segment.epoch, segment.seen.metrics)
            self.end_epoch(complete=None if is_whole else False)

    def _record(self, *, complete: bool, together: bool, goes_on: bool = False) -> EpochRecord:
        """End the open interval, keep its record and that of what lay outside before it, and decide."""
        made: list[EpochRecord] = []
        self._at_edge(self._end, made, complete, together, goes_on)
        record = made[-1]
        if self._around.ranks.rank == 0 and _is_worth_keeping(record):
            record = self._decided(made)
        if together and record.epoch is not None:
            self.board.decision.agree(self._around.ranks)
        return record

    def _end(self, made: list[EpochRecord], complete: bool, together: bool, goes_on: bool) -> None:  # noqa: FBT001
        """End the open interval; put what it and what lay outside before it came to into a list."""

        def rows(intervals: Sequence[tuple[Segment, Lap]]) -> Sequence[EpochRecord]:
            laps = [self._gpus.added(lap) for _, lap in intervals]
            laps = self._slots.total(laps) if together else [self._slots.local(lap) for lap in laps]
            made.extend(
                self._pricing.row(segment, lap, complete=complete, closes_epoch=not goes_on)
                for (segment, _), lap in zip(intervals, laps, strict=True)
            )
            is_kept = self._around.ranks.rank == 0
            return [row for row in made if _is_worth_keeping(row)] if is_kept else ()

        self._timeline.end(rows, len(self.history), goes_on=goes_on)
        if not goes_on:
            self._inside.end()

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
            self._gpus.check(record)
            verdicts = self.board.decide(
                self.history,
                record,
                has_counted=self._parts.has_counted,
                is_unasked=self._inside.is_unasked and record.closes_epoch,
                refused=self._guarded.refused,
            )
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
        if not self._has_begun and self._around.ranks.rank == 0:
            self.board.budgets.say_without_epochs(self._pricing.spending(together=False))
        used = self._pricing.unrecorded()
        if self.ledger is not None and used is not None:
            self.ledger.heartbeat(used)

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
        _LIVE.discard(self)
        try:
            if not self.is_closed:
                self._record_rest(together=together)
        finally:
            self.is_closed = True
        self._shut_down()
        if self._settings.strict:
            self._raise_failure()

    def _close_if_cut_short(self) -> bool:
        """Close the run if its training has ended without a word; return whether it had."""
        is_running = self._around.is_running
        if is_running is None or is_running():
            return False
        logger.info("Run %s was cut short: it is recorded up to now.", self.run_id)
        self.close(together=False)
        return True

    def abandon(self) -> None:
        """Close a run that nobody holds any more, on its own thread: this one may be anywhere, with any lock held."""
        if self.is_live and self._delivery:
            self._delivery.worker.submit(partial(self.close, together=False))

    def _record_rest(self, *, together: bool) -> None:
        self._is_closing_wanted = False
        self._at_edge(_nothing)
        if together:
            self.end_left_epoch()
        self._meter.is_ending = True
        self._record(complete=self._timeline.segment.epoch is None, together=together)

    def _shut_down(self) -> None:
        self._at_edge(_nothing)
        self._show(len(self.history))
        if self._around.ranks.rank == 0:
            self.board.conclude()
        if self.ledger and self.ledger.refusal is not None:
            self.notices.note(
                "ledger",
                "The ledger %s could not be written (%s), so records are missing from it. Free the disk, or name "
                "another file with ledger=….",
                self.ledger.path,
                self.ledger.refusal,
            )
        if self.ledger and self.ledger.has_others:
            self.notices.note(
                "ledger of others",
                "Another run has written to the ledger %s at the same time: its records are mixed with those of this "
                "one. Give each run a file of its own.",
                self.ledger.path,
            )
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
        _LIVE.discard(self)
        atexit.unregister(self.close)
        if self._delivery:
            self._delivery.stop()
        if self._grid:
            self._grid.close()
        self._meter.close()
        self._is_shut = True

    def _totals(self) -> RunRecord:
        path = self.ledger.path if self.ledger else None
        return totals(self.history, self.run_id, path, self.board.stop_reason, self.notices.texts)


def _nothing() -> None:
    """Make no edge: what an exception has kept from the history is put there all the same."""


_AT_EDGE: Final = Run._at_edge.__code__  # noqa: SLF001  our own


def _is_worth_keeping(record: EpochRecord) -> bool:
    """Tell whether a record says anything: what lies between two epochs often does not."""
    return record.epoch is not None or bool(record.duration_seconds or record.energy_joules or record.metrics)

"""A run while it is measured, from its start to its close."""

import atexit
import threading
from dataclasses import replace
from functools import partial
from typing import Final, Self

from green_callbacks.accountant.energy.interval_edges import Edges
from green_callbacks.accountant.energy.run_measurement import RunMeasurement
from green_callbacks.accountant.energy.unmeasured_gpus import GPU_CHECK_SECONDS
from green_callbacks.accountant.presence.presence import Presence
from green_callbacks.accountant.presence.presence_start import begin_presence
from green_callbacks.accountant.ranks.protocol import Parting, leave
from green_callbacks.accountant.run.closing import RunClosing
from green_callbacks.accountant.run.epochs import RunEpochs
from green_callbacks.accountant.run.heartbeat import HEARTBEAT_SECONDS, Heartbeat
from green_callbacks.accountant.run.late_information import LaterKnowledge
from green_callbacks.accountant.run.live_runs import LIVE_RUNS
from green_callbacks.accountant.setup.opened_run import OpenedRun
from green_callbacks.accountant.setup.options import Settings
from green_callbacks.accountant.setup.plan_merging import known_plan
from green_callbacks.accountant.setup.resume import RunState
from green_callbacks.accountant.setup.trainer_context import TrainerContext
from green_callbacks.accountant.shared_budgets.shared_budgets import SharedBudgets
from green_callbacks.analysis.totals import totals
from green_callbacks.ledger import RunLedger
from green_callbacks.meter import EnergyMeter
from green_callbacks.records import Plan, RunRecord
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

WATCH_SECONDS: Final = 2.0
"""Longest time, in s, that is counted after a crash that the framework does not report."""


class Run:
    """One run, from start to close, in the process that started it.

    Args:
        opened: Its parts.
    """

    def __init__(self, opened: OpenedRun) -> None:
        state, settings = opened.state, opened.settings
        self.run_id = state.run_id
        self.history = state.history
        self.notices = state.notices
        self.board = opened.board
        self._opened = opened
        self.settings = settings
        self.trainer = opened.trainer
        self._is_first_rank = opened.trainer.ranks.rank == 0
        self._is_replaced = False
        self.presence: Presence | None = None
        self._measurement = opened.measurement
        self._timeline = opened.measurement.timeline
        self._delivery = opened.delivery
        close = partial(self.close, together=False)
        self._edges = Edges(self._timeline, self.history, self._delivery.record, close)
        self._closing = self._run_closing()
        self.shared = SharedBudgets(self.settings, self.trainer, state, self.board, opened.measurement.meter.threads)
        self.epochs = RunEpochs(opened, self._edges, self._closing, self.shared)
        self._heartbeat = Heartbeat(opened, self.shared, lambda: self.is_closed, lambda: self.has_begun)
        self.knowledge = LaterKnowledge(self.board, opened.context, self.ledger, is_first_rank=self._is_first_rank)
        self.landing = self.board.landing
        self.landing.publish = self.knowledge.land
        self.shared.publish = self.knowledge.share
        self.shared.hurry = self.epochs.hurry

    def _run_closing(self) -> RunClosing:
        return RunClosing(
            self._edges,
            self._delivery,
            self.history,
            record_rest=self._record_rest,
            conclude=self._conclude,
            totals=self._totals,
            let_go=self._let_go,
            strict=self.settings.strict,
        )

    @classmethod
    def started(
        cls, settings: Settings, trainer: TrainerContext, state: RunState, before: RunMeasurement | None = None
    ) -> Self:
        """Start a run.

        Args:
            settings: The checked options.
            trainer: What the adapter knows.
            state: The run's name, file and records so far.
            before: The measurement of a provisional run, which goes on. Defaults to a new measurement.
        """
        make_room = partial(LIVE_RUNS.make_room, run_id=state.run_id)
        opened = OpenedRun.open(settings.agreed(trainer.ranks), trainer, state, make_room, before)
        run = None
        try:
            run = cls(opened)
            run._begin()
        except BaseException:
            leave(trainer.ranks)
            opened.measurement.close() if run is None else run._let_go()
            raise
        return run

    def _begin(self) -> None:
        delivery, measurement = self._delivery, self._measurement
        self.notices.keep = self.ledger.notice if self.ledger else None
        if self._is_first_rank and not self.trainer.is_provisional:
            is_measured = measurement.slots.are_measured
            self.board.ability.at_start(self.trainer.plan, measurement.first_intensity, is_measured=is_measured)
        delivery.open(self._opened.context)
        for polled, name in measurement.polled():
            delivery.poll(polled, name)
        if self.trainer.is_running is not None:
            delivery.every(WATCH_SECONDS, self.close_if_cut_short, "the check whether training goes on")
        if measurement.gpus.is_watching:
            delivery.every(GPU_CHECK_SECONDS, measurement.gpus.check_frameworks, "the check for GPUs")
        self.presence = begin_presence(self._opened)
        if self.presence is not None:
            self.shared.share_of = self.presence.share_of
        close_orphans = partial(LIVE_RUNS.close_orphans, self)
        delivery.every(WATCH_SECONDS, close_orphans, "the check of the other runs of this process")
        LIVE_RUNS.add(self)
        LIVE_RUNS.say_shared(self)
        atexit.register(self.close, together=False)
        if not self.trainer.is_provisional:
            self.board.announce()
        self.shared.start()
        delivery.settle()
        # Last, because the worker may close the run.
        delivery.start(self._heartbeat.beat, HEARTBEAT_SECONDS, self._watch)

    @property
    def ledger(self) -> RunLedger | None:
        """The ledger, or None if there is none."""
        return self._delivery.ledger

    @property
    def meter(self) -> EnergyMeter:
        """The meter of the devices."""
        return self._measurement.meter

    @property
    def devices(self) -> frozenset[str]:
        """The devices that count on this rank, by their names on this host."""
        return self._measurement.slots.owned

    @property
    def thread(self) -> threading.Thread:
        """The thread that began the last epoch, or else started the run. It is taken for the training thread."""
        return self._timeline.thread

    @property
    def steps_done(self) -> int:
        """Optimizer steps so far. Rank 0 alone has a history that grows, so other ranks count for themselves."""
        counted = None if self._is_first_rank else self.landing.course.step
        return counted or self.epochs.step or 0

    @property
    def is_orphaned(self) -> bool:
        """Whether the thread that trains has ended."""
        return not self.thread.is_alive()

    @property
    def is_under_way(self) -> bool:
        """Whether its training is known to go on."""
        is_running = self.trainer.is_running
        return self.has_begun and is_running is not None and is_running()

    @property
    def has_begun(self) -> bool:
        """Whether an epoch has begun since the start."""
        return self.epochs.has_begun

    @property
    def is_live(self) -> bool:
        """Whether the run goes on in this process. In a fork it does not."""
        return self._closing.is_live

    @property
    def is_closed(self) -> bool:
        """Whether it was closed, in this process or in the parent process of a fork."""
        return self._closing.is_closed

    @property
    def can_go_on(self) -> bool:
        """Whether it was closed in this process, in a loop of the user's own, which may train again.

        A run that gave way to another on its thread cannot, because each would close the other after every epoch.
        """
        is_ours = self._closing.is_own_process and not self._is_replaced
        return self.is_closed and self.trainer.is_own_loop and is_ours

    def expect(self, plan: Plan) -> None:
        """Replace the plan of the framework. The user's own plan overrides it."""
        settings = self.settings
        self.knowledge.replan(known_plan(settings.plan, plan, settings.policies, self.notices))

    def rewind(self, epoch: int, step: int | None) -> None:
        """Move the records of an epoch that will be repeated, and of all later ones, outside epochs.

        Args:
            epoch: Its index.
            step: Records up to this step stay, or None for none.
        """
        self.history.rewind(epoch, step)
        if self.ledger:
            self.ledger.rewind(epoch, step)
        self._delivery.rewind(self.history.copy())

    def _watch(self) -> None:
        """Watch the open epoch, on a thread that is not the training thread."""
        if self.is_live and self._is_first_rank:
            self.epochs.watch()

    def say_if_it_trains_elsewhere(self) -> None:
        """Warn that a second training begins with this run, while an epoch is open on another thread."""
        if (
            self.epochs.is_open
            and self.is_live
            and self.thread is not threading.current_thread()
            and not self.is_orphaned
        ):
            self.notices.say(
                "two trainings",
                "Run %s is used by a second training, on another thread, so the epochs of both are mixed. Give each "
                "training a monitor or an accountant of its own.",
                self.run_id,
            )

    def leave(self, state: RunState) -> RunState:
        """Return the state for the next start, in which the end of the training is known.

        Args:
            state: The state of the run.
        """
        if not self.has_begun:  # a test or a validation, after or between trainings
            return state
        board = self.board
        return replace(
            state, landing=self.landing.unfinished, step=None, landed=board.plan.landing, stop_reason=board.stop_reason
        )

    def close(self, *, together: bool = True) -> RunRecord:
        """Close the run, as :meth:`RunClosing.close` describes.

        Args:
            together: Whether all ranks call this. Defaults to True.
        """
        ranks = self.trainer.ranks
        if not isinstance(ranks, Parting) or not self.is_live:
            return self._closing.close(together=together)
        if not together:
            ranks.leave()
            return self._closing.close(together=False)
        ranks.hurry()
        run = self._closing.close(together=True)
        ranks.finish()
        return run

    def handed_over(self) -> RunMeasurement:
        """End a provisional run, and return its measurement, which goes on."""
        self._closing.is_closed = True
        self._stop_threads()
        return self._measurement

    def close_if_cut_short(self) -> bool:
        """Close the run if its training has ended without a report. Return whether it had."""
        is_running = self.trainer.is_running
        if is_running is None or is_running():
            return False
        logger.info("Run %s was cut short. It is recorded up to now.", self.run_id)
        self.close(together=False)
        return True

    def give_way(self) -> None:
        """Close the run for good, because another one takes its place."""
        self._is_replaced = True
        self.close(together=False)

    def abandon(self) -> None:
        """Close a run that nobody holds, on the worker's thread. The garbage collector may hold any lock here."""
        if self.is_live:
            self._delivery.worker.submit(partial(self.close, together=False))

    def _conclude(self) -> None:
        if self._is_first_rank:
            self.board.conclude()
        self.shared.end()

    def _record_rest(self, together: bool) -> None:  # noqa: FBT001
        """Record the open interval."""
        if together:
            self.epochs.end_left()
        self.meter.is_ending = True
        self.epochs.record_rest(together=together)

    def _let_go(self) -> None:
        """Let go of all that is live. It may be called again."""
        self._stop_threads()
        self._measurement.close()

    def _stop_threads(self) -> None:
        self.landing.end()
        LIVE_RUNS.discard(self)
        atexit.unregister(self.close)
        self._delivery.stop()

    def _totals(self) -> RunRecord:
        path = self.ledger.path if self.ledger else None
        reason, landing = self.board.stop_reason, self.board.plan.landing
        if not self.has_begun:  # a test after the training does not change how the training ended
            reason, landing = reason or self._opened.state.stop_reason, landing or self._opened.state.landed
        return totals(self.history, self.run_id, path, reason, self.notices.texts, landing)

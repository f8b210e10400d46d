"""The epochs of a run, from their beginning to their end."""

from collections.abc import Mapping
from typing import Any, Final

from green_callbacks.accountant.decisions.budget_checks import BudgetChecks
from green_callbacks.accountant.decisions.decision_interval import EpochParts
from green_callbacks.accountant.decisions.open_epoch import OpenEpoch
from green_callbacks.accountant.energy.interval_edges import Edges
from green_callbacks.accountant.energy.observations import MAX_COUNT, Observations
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.landing.agreement import agreed_step
from green_callbacks.accountant.loops.data_waits import DataWaits
from green_callbacks.accountant.loops.epoch_completeness import EpochCompleteness
from green_callbacks.accountant.loops.steps_done import StepsDone
from green_callbacks.accountant.ranks.protocol import checked_phase
from green_callbacks.accountant.run.closing import RunClosing
from green_callbacks.accountant.run.idle_run import unmeasured
from green_callbacks.accountant.run.record_keeping import RecordKeeping
from green_callbacks.accountant.setup.opened_run import OpenedRun
from green_callbacks.accountant.shared_budgets.shared_budgets import SharedBudgets
from green_callbacks.records import EpochRecord
from green_callbacks.records.effort import TRAIN

_ONE_RANK: Final = (
    "Not every process reported %s in an epoch, so their number is not known. Call accountant.observe(%s=…) in every "
    "process with what that process has done, or with 0."
)
_NO_SAMPLES: Final = (
    "tokens_per_sample= and flops_per_sample= have no effect, because the number of samples is not known. Pass "
    "samples_per_epoch=, or call accountant.observe(samples=…)."
)


class RunEpochs:
    """Begins and ends the epochs of a run, and the parts and phases of an epoch.

    Args:
        opened: The parts of the run.
        edges: Makes edges on the training thread.
        closing: Knows whether the run goes on.
        shared: The budgets that the run shares with others.
    """

    def __init__(self, opened: OpenedRun, edges: Edges, closing: RunClosing, shared: SharedBudgets) -> None:
        state, settings, ranks = opened.state, opened.settings, opened.trainer.ranks
        self.has_begun = False
        """Whether an epoch has begun since the start."""
        self.completeness = EpochCompleteness(settings.clock, state.notices, state.history)
        """Tells whether an epoch was whole."""
        self.waits = DataWaits(settings.clock)
        """Estimates how long training waits for data."""
        self._settings = settings
        self._trainer = opened.trainer
        self._ranks = ranks
        self._is_first_rank = ranks.rank == 0
        self._board = opened.board
        self._history = state.history
        self._measurement = opened.measurement
        self._timeline = opened.measurement.timeline
        self._delivery = opened.delivery
        self._edges = edges
        self._closing = closing
        self._shared = shared
        self._guarded = Guarded()
        self._parts = EpochParts(settings.decide_every, ranks, settings.clock)
        self._steps_done = StepsDone(state.history, state.notices, opened.trainer.is_own_loop, state.step)
        self._notices = state.notices
        self._framework_counts_steps = False
        self._open_epoch = self._new_open_epoch()
        self._records = self._record_keeping()

    def _new_open_epoch(self) -> OpenEpoch:
        settings, measurement, ranks = self._settings, self._measurement, self._ranks
        is_looking = bool(self._board.budgets) and measurement.slots.are_measured
        spending = measurement.pricing.spending
        return OpenEpoch(
            self._board,
            BudgetChecks(self._board.budgets, ranks, settings.clock, spending) if is_looking else None,
            self._parts,
            ranks,
            self._timeline,
            settings.clock,
            at_edge=self._edges.at,
            on_spent=self._trainer.on_spent,
            guarded=self._guarded,
            shared=self._shared,
        )

    def _record_keeping(self) -> RecordKeeping:
        return RecordKeeping(
            self._measurement,
            self._edges,
            self._delivery,
            self._history,
            board=self._board,
            open_epoch=self._open_epoch,
            ranks=self._ranks,
            guarded=self._guarded,
            strict=self._settings.strict,
            shared=self._shared,
        )

    @property
    def is_open(self) -> bool:
        """Whether the open interval is an epoch, or a part of one."""
        return self._timeline.interval.epoch is not None

    @property
    def is_training(self) -> bool:
        """Whether an epoch is open, and is in its training."""
        return self.is_open and self._timeline.interval.phase == TRAIN

    @property
    def step(self) -> int | None:
        """Optimizer steps so far, or None if unknown."""
        step = self._timeline.interval.observations.step
        return step if step is not None else self._history.steps

    @property
    def samples(self) -> int | None:
        """Training samples observed in the open interval, or None if none were."""
        return self._timeline.interval.observations.samples

    def has_counted(self, name: str) -> bool:
        """Return whether samples, tokens or flops were observed in the open interval."""
        return getattr(self._timeline.interval.observations, name) is not None

    @property
    def unrecorded_seconds(self) -> float:
        """Time in s from the end of the last record to the last edge."""
        opened = self._timeline.opened
        return opened.interval.last.seconds - opened.recorded_until.seconds

    @property
    def budget_checks(self) -> BudgetChecks | None:
        """The checks of the budgets inside epochs, or None if there are no budgets."""
        return self._open_epoch.budget_checks

    def end_open(self, following: int) -> None:
        """End an epoch that is still open as incomplete, before another. Warn of what a user's own loop leaves undone.

        Args:
            following: Index of the epoch that is to begin.
        """
        unended = self._timeline.interval.epoch
        if self._trainer.is_own_loop and self._is_first_rank:
            self._board.ability.before(following, unended=unended, stop_reason=self._board.stop_reason)
        if unended is not None:
            self.end(complete=False)

    def begin(self, epoch: int, step: int | None = None) -> None:
        """End what lies outside epochs, and begin an epoch.

        Args:
            epoch: Its index.
            step: Optimizer steps so far. Defaults to None, if the caller does not know them.

        Raises:
            BudgetSpentError: No budget is left for the first epoch since the start.
        """
        asked_at_seconds = self._settings.clock.monotonic()
        if not self.has_begun:
            self.has_begun = True
            self._shared.begin_training()
            self._board.refuse_if_spent(self._history, self._ranks)
        self._board.landing.begin_epoch(epoch, self._ranks)
        self._edges.at(self._timeline.begin_epoch, epoch, asked_at_seconds)
        told = {} if step is None else self._guarded.numbers({"step": step})
        self._framework_counts_steps = bool(told) and not self._trainer.is_own_loop
        self._steps_done.begin(self._timeline.interval.observations, epoch, told.get("step"))
        self.completeness.begin()
        self.waits.begin()
        self._open_epoch.begin(epoch)
        self._shared.begin_epoch()

    def begin_steps(self, step: int) -> None:
        """Note the optimizer steps at the beginning of the open epoch, unless steps were counted in it.

        Args:
            step: Optimizer steps so far.
        """
        observations = self._timeline.interval.observations
        if self.is_open and observations.step is None:
            observations.first_step = step

    def agreed_last(self) -> int | None:
        """Return the last recorded epoch, which only rank 0 may know. Every rank calls this."""
        return agreed_step(self._history.last_epoch, self._ranks) if self._ranks.size > 1 else self._history.last_epoch

    def phase(self, name: str) -> str:
        """End the open lap, and begin one in another phase.

        Args:
            name: The phase.

        Returns:
            The phase before.

        Raises:
            ConfigurationError: There is no such phase.
        """
        before = self._timeline.interval.phase
        if checked_phase(name) != before and self._closing.is_live:
            self._edges.at(self._timeline.mark, name)
        return before

    def note(self, metrics: Mapping[str, Any] | None, counts: Mapping[str, Any], *, by_framework: bool = False) -> None:
        """Note fresh metrics and counts of the open interval.

        Args:
            metrics: Metrics, or None for none.
            counts: Learning rate and counts by name, or None where unknown.
            by_framework: Whether a framework counts. Where it counts steps, another count of the user is no count of
                them, such as the number of a batch beside a metric. Defaults to False.
        """
        self.completeness.traces.observed += metrics is not None
        if self._framework_counts_steps and not by_framework:
            counts = {**counts, "step": None}
        if self._settings.samples_per_epoch is not None:
            counts = {**counts, "samples": None}
        if self._board.landing.is_wanted:
            for step in self._guarded.numbers({"step": counts.get("step")}).values():
                if 0 <= step <= MAX_COUNT:
                    self.land_to(int(step))
            counts = self._board.landing.counted(counts)
        interval = self._timeline.interval
        before = len(interval.observations.metrics)
        interval.observations.note(metrics or {}, counts, self._guarded)
        if (
            interval.phase == "other" and metrics and before == len(interval.observations.metrics) > 0
        ):  # for the second time
            self._board.budgets.say_without_epochs(has_observed=True)

    def hurry(self) -> None:
        """Let the next batch of the open epoch check the budgets, whenever the next check would be due."""
        if self.budget_checks is not None:
            self.budget_checks.hurry()

    def check_budgets(self) -> bool:
        """Check the budgets inside the epoch. Return whether the run is to stop."""
        return self._open_epoch.check_budgets()

    def land_to(self, step: int, *, is_by_batch: bool = False) -> bool:
        """Note the optimizer steps so far. Return whether a landing ends here, so that the run is to stop."""
        return self._open_epoch.land_to(step, is_by_batch=is_by_batch)

    def count_steps(self, steps: int) -> bool:
        """Count steps. Return whether a part of the epoch is due to end."""
        return self.is_open and self._parts.count(steps)

    def end_part(self) -> EpochRecord:
        """End a part of the epoch, record it, decide, and begin the next part."""
        if not self.is_open:
            return unmeasured(self._settings.clock)
        going_on = self._board.stop_reason is None
        before = self._timeline.interval.observations
        self.completeness.gather(before.metrics)
        self._note_wait()
        self._steps_done.doubt(before)
        record = self._records.record(complete=True, together=True, goes_on=True)
        self._steps_done.end_part(before, self._timeline.interval.observations)
        self._open_epoch.is_cut_short |= going_on and self._board.stop_reason is not None
        self._parts.begin()
        return record

    def end(self, *, complete: bool | None = None) -> EpochRecord:
        """End the epoch, record it, decide, and begin what lies outside epochs.

        Args:
            complete: Whether it ran to its end. Defaults to whether no decision inside it stopped the run.
        """
        if not self.is_open:
            return unmeasured(self._settings.clock)
        whole = not self._open_epoch.is_cut_short if complete is None else complete
        observations = self._timeline.interval.observations
        if whole:
            self.completeness.learn(observations.metrics)
        if whole and self._settings.samples_per_epoch is not None:  # of all ranks together, of which each counts
            observations.samples = self._settings.samples_per_epoch if self._is_first_rank else 0
        self._steps_done.end(observations, self._timeline.interval.epoch, is_whole=whole)
        self._note_wait()
        record = self._records.record(complete=whole, together=True)
        if whole and self._is_first_rank:
            self._say_uncounted(observations, record)
        self.leave_landing()
        self._timeline.done()
        return record

    def _say_uncounted(self, observations: Observations, record: EpochRecord) -> None:
        """Say which counts of an epoch are lost, with the remedy."""
        for name in ("samples", "tokens", "flops"):
            if getattr(observations, name) is not None and getattr(record, name) is None:
                self._notices.say(f"uncounted {name}", _ONE_RANK, name, name)
        if record.samples is None and self._settings.counts_per_sample.is_given:
            self._notices.say("per sample", _NO_SAMPLES)

    def leave_landing(self) -> None:
        """Leave the learning rates alone until the next epoch. The same optimizers may be used for anything else."""
        self._board.landing.course.is_open = False

    def end_left(self, *, is_certain: bool = False) -> None:
        """End the open epoch, if its loop over epochs was left.

        Args:
            is_certain: Whether the loop is known to be left. Defaults to False.
        """
        interval = self._timeline.interval
        if self.is_open and self._closing.is_live and (is_certain or self.completeness.is_left()):
            is_whole = self.completeness.is_left_whole(interval.epoch, interval.observations.metrics)
            self.end(complete=None if is_whole else False)

    def record_rest(self, *, together: bool) -> None:
        """Record the open interval at the end of the run.

        Args:
            together: Whether all ranks call this.
        """
        if self.is_open:
            self._note_wait()
        self._records.record(complete=not self.is_open, together=together)

    def _note_wait(self) -> None:
        self._timeline.interval.observations.data_wait_seconds = self.waits.take()

    def watch(self) -> None:
        """Watch the open epoch, on a thread that is not the training thread."""
        self._open_epoch.watch()

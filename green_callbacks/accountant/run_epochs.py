"""The epochs of a run: how they begin, what is noted in them, and how they end."""

from collections.abc import Mapping
from typing import Any

from green_callbacks.accountant.beginning.opened_run import OpenedRun
from green_callbacks.accountant.decisions.budget_checks import Looks
from green_callbacks.accountant.decisions.decision_interval import Parts
from green_callbacks.accountant.decisions.open_epoch import Inside
from green_callbacks.accountant.energy.edges import Edges
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.idle_run import unmeasured
from green_callbacks.accountant.loops.epoch_completeness import Wholeness
from green_callbacks.accountant.ranks import checked_phase
from green_callbacks.accountant.record_keeping import RecordKeeping
from green_callbacks.accountant.run_closing import RunClosing
from green_callbacks.records import EpochRecord


class RunEpochs:
    """Begins and ends the epochs of a run, and the parts and phases of an epoch.

    Args:
        opened: The parts of the run.
        edges: Makes edges on the training thread.
        closing: Knows whether the run goes on.
    """

    def __init__(self, opened: OpenedRun, edges: Edges, closing: RunClosing) -> None:
        state, settings, ranks = opened.state, opened.settings, opened.around.ranks
        self.has_begun = False
        """Whether an epoch has begun since the start."""
        self.wholeness = Wholeness(settings.clock, state.notices, state.history)
        """Tells whether an epoch was whole."""
        self._settings = settings
        self._around = opened.around
        self._ranks = ranks
        self._is_first_rank = ranks.rank == 0
        self._board = opened.board
        self._history = state.history
        self._measurement = opened.measurement
        self._timeline = opened.measurement.timeline
        self._delivery = opened.delivery
        self._edges = edges
        self._closing = closing
        self._guarded = Guarded()
        self._parts = Parts(settings.decide_every, ranks, settings.clock)
        self._inside = self._open_epoch()
        self._records = self._record_keeping()

    def _open_epoch(self) -> Inside:
        settings, measurement, ranks = self._settings, self._measurement, self._ranks
        is_looking = bool(self._board.budgets) and measurement.slots.are_measured
        spending = measurement.pricing.spending
        return Inside(
            self._board,
            Looks(self._board.budgets, ranks, settings.clock, spending) if is_looking else None,
            self._parts,
            self._timeline,
            settings.clock,
            at_edge=self._edges.at,
            on_spent=self._around.on_spent,
            guarded=self._guarded,
        )

    def _record_keeping(self) -> RecordKeeping:
        return RecordKeeping(
            self._measurement,
            self._edges,
            self._delivery,
            self._history,
            board=self._board,
            inside=self._inside,
            parts=self._parts,
            ranks=self._ranks,
            guarded=self._guarded,
            strict=self._settings.strict,
        )

    @property
    def is_open(self) -> bool:
        """Whether the open interval is an epoch, or a part of one."""
        return self._timeline.segment.epoch is not None

    @property
    def step(self) -> int | None:
        """Optimizer steps so far; None if unknown."""
        step = self._timeline.segment.seen.step
        return step if step is not None else self._history.steps

    @property
    def samples(self) -> int | None:
        """Training samples observed in the open interval; None if none were."""
        return self._timeline.segment.seen.samples

    @property
    def unrecorded_seconds(self) -> float:
        """Time in s from the end of the last record to the last edge."""
        opened = self._timeline.opened
        return opened.segment.last.seconds - opened.recorded_until.seconds

    @property
    def looks(self) -> Looks | None:
        """What tells when the budgets are to be checked inside an epoch; None where there are none."""
        return self._inside.looks

    def end_open(self, following: int) -> None:
        """End an epoch that is still open as incomplete, before another. Warn of what a user's own loop leaves undone.

        Args:
            following: Index of the epoch that is to begin.
        """
        unended = self._timeline.segment.epoch
        if self._around.is_own_loop and self._is_first_rank:
            self._board.ability.before(following, unended=unended, stop_reason=self._board.stop_reason)
        if unended is not None:
            self.end(complete=False)

    def begin(self, epoch: int) -> None:
        """End what lies outside epochs, and begin an epoch.

        Args:
            epoch: Its index.

        Raises:
            BudgetSpentError: It is the first since the start, and a budget has no room for it.
        """
        if not self.has_begun:
            self.has_begun = True
            self._board.refuse_if_spent(self._history, self._ranks)
        self._edges.at(self._timeline.begin_epoch, epoch)
        self.wholeness.begin()
        self._inside.begin(epoch)

    def phase(self, name: str) -> str:
        """End the open lap, and begin one in another phase.

        Args:
            name: The phase.

        Returns:
            The phase before.

        Raises:
            ConfigurationError: There is no such phase.
        """
        before = self._timeline.segment.phase
        if checked_phase(name) != before and self._closing.is_live:
            self._edges.at(self._timeline.mark, name)
        return before

    def note(self, metrics: Mapping[str, Any] | None, counts: Mapping[str, Any]) -> None:
        """Note what is fresh in the open interval.

        Args:
            metrics: Metrics; None for none.
            counts: Learning rate and counts by name; None where unknown.
        """
        self.wholeness.traces.observed += metrics is not None
        if self._settings.samples_per_epoch is not None:
            counts = {**counts, "samples": None}
        segment = self._timeline.segment
        before = len(segment.seen.metrics)
        segment.seen.note(metrics or {}, counts, self._guarded)
        if segment.phase == "other" and metrics and before == len(segment.seen.metrics) > 0:  # for the second time
            self._board.budgets.say_without_epochs(has_observed=True)

    def look(self) -> bool:
        """Check the budgets inside the epoch; return whether the run is to stop."""
        return self._inside.look()

    def count_steps(self, steps: int) -> bool:
        """Count steps; return whether a part of the epoch is due to end."""
        return self.is_open and self._parts.count(steps)

    def end_part(self) -> EpochRecord:
        """End a part of the epoch, record it, decide, and begin the next part."""
        if not self.is_open:
            return unmeasured(self._settings.clock)
        going_on = self._board.stop_reason is None
        self.wholeness.gather(self._timeline.segment.seen.metrics)
        record = self._records.record(complete=True, together=True, goes_on=True)
        self._inside.is_cut_short |= going_on and self._board.stop_reason is not None
        self._parts.begin()
        return record

    def end(self, *, complete: bool | None = None) -> EpochRecord:
        """End the epoch, record it, decide, and begin what lies outside epochs.

        Args:
            complete: Whether it ran to its end. Defaults to whether no decision inside it stopped the run.
        """
        if not self.is_open:
            return unmeasured(self._settings.clock)
        whole = not self._inside.is_cut_short if complete is None else complete
        seen = self._timeline.segment.seen
        if whole:
            self.wholeness.learn(seen.metrics)
        if whole and self._settings.samples_per_epoch is not None:  # of all ranks together, of which each counts
            seen.samples = self._settings.samples_per_epoch if self._is_first_rank else 0
        return self._records.record(complete=whole, together=True)

    def end_left(self, *, is_certain: bool = False) -> None:
        """End the epoch of a loop over epochs that was left; does nothing if none is open.

        Args:
            is_certain: Whether it is known that it was left. Defaults to False.
        """
        segment = self._timeline.segment
        if self.is_open and self._closing.is_live and (is_certain or self.wholeness.is_left()):
            is_whole = self.wholeness.is_left_whole(segment.epoch, segment.seen.metrics)
            self.end(complete=None if is_whole else False)

    def record_rest(self, *, together: bool) -> None:
        """Record what is open, at the end of the run.

        Args:
            together: Whether all ranks call this.
        """
        self._records.record(complete=not self.is_open, together=together)

    def watch(self) -> None:
        """Watch the open epoch, on a thread that is not the training thread."""
        self._inside.watch()

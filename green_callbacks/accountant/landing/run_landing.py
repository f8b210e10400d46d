"""The landing of a run, from the verdict that asks for it to the stop."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, NamedTuple

from green_callbacks.accountant.decisions.stop_decision import StopDecision
from green_callbacks.accountant.guarded_calls import Guarded, quiet_number
from green_callbacks.accountant.landing.agreement import agreed, agreed_step
from green_callbacks.accountant.landing.course import Course
from green_callbacks.accountant.landing.landing_messages import (
    say_begun,
    say_further,
    say_resumed,
    say_shortened,
    state_of,
    stop_reason,
)
from green_callbacks.accountant.landing.loop_rates import LoopRates
from green_callbacks.accountant.landing.rates import Rates
from green_callbacks.accountant.landing.refusals import OF_ANOTHER_PROCESS, Refusals
from green_callbacks.accountant.landing.shortening import Shortening
from green_callbacks.accountant.loops.landing_needs import lack_of
from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.ranks.protocol import Ranks
from green_callbacks.policies import Budget, Left, Policy, lands
from green_callbacks.policies.landing import Position, landing_of
from green_callbacks.records import EpochRecord, History, Landing, Plan, Verdict
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_FAILED: Final = "The learning rate could not be scaled (%s: %s). %s"


class LandingBefore(NamedTuple):
    """The landing that an earlier process has begun.

    Attributes:
        landing: The landing, or None for none.
        step: Optimizer steps in the checkpoint of that process. None if unknown.
    """

    landing: Landing | None = None
    step: int | None = None

    def place_of(self, epoch: int, step: int | None) -> Literal["before", "within", "after"]:
        """Return where an epoch lies. Without a landing, every epoch lies before it.

        Args:
            epoch: Index of the epoch, which begins.
            step: Optimizer steps so far. None if unknown.
        """
        landing = self.landing
        if landing is None or step is None or epoch < landing.epoch or step < landing.first_step:
            return "before"
        is_after = step >= landing.end or (landing.last_epoch is not None and epoch > landing.last_epoch)
        return "after" if is_after else "within"


NO_LANDING: Final = LandingBefore()
"""No landing."""


class RunLanding:
    """Begins, follows and ends the landing of a run. Rank 0 decides, and every rank counts its own steps.

    Args:
        policies: The policies of the run, the same on all ranks.
        history: All records of the run. It grows.
        notices: Receives the warnings.
        decision: Whether the run is to stop.
        plan: Returns the plan.
        before: The landing that an earlier process has begun, if any.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        history: History,
        notices: Notices,
        decision: StopDecision,
        plan: Callable[[], Plan],
        before: LandingBefore,
    ) -> None:
        self.course = Course()
        landers = [policy for policy in policies if lands(policy)]
        self.is_wanted = bool(landers)
        """Whether a policy may begin a landing."""
        self.is_for_budgets = any(isinstance(policy, Budget) for policy in landers)
        """Whether a budget may begin a landing inside an epoch."""
        self.publish: Callable[[Plan], object] = _ignored
        """Replaces the plan, in the ledger too."""
        self._history = history
        self._decision = decision
        self._plan = plan
        self._before = before
        self._guarded = Guarded()
        self._refusals = Refusals(landers, notices, plan, self._replan)
        self._rates: Rates | None = None
        self._pending: Landing | None = None
        self._shortening = Shortening()
        self._has_begun = False
        self._is_first_rank = True

    def _replan(self, plan: Plan) -> None:
        self.publish(plan)

    @property
    def landing(self) -> Landing | None:
        """The landing that has begun, or None."""
        return self.course.landing

    @property
    def unfinished(self) -> Landing | None:
        """The landing that has begun, unless the run was stopped. None without a landing."""
        return None if self._decision.is_made else self.course.landing

    @property
    def kept(self) -> Landing | None:
        """The landing for a checkpoint. Before the first epoch, the landing of the process before."""
        return self.course.landing if self._has_begun else self._before.landing

    def use(self, rates: Rates | None) -> None:
        """Use the learning rates of a loop, if it has any.

        Args:
            rates: The learning rates.
        """
        if rates is not None:
            before, self._rates = self._rates, rates
            if self.landing is not None:
                self._replace(before, rates)

    def _replace(self, before: Rates | None, rates: Rates) -> None:
        """Go on with a landing after the loop has given other learning rates."""
        if before is not None:
            self._guarded.tell("Putting the learning rates back", before.end)
        why, landing = self._guarded.ask("The learning rates", rates.refusal, None), self.landing
        if why is not None:
            self._refusals.check(why)
        if landing is not None and (why is not None or not self._scales(landing)):
            self._decision.stop(landing.reason, "in", self._decision.epoch)

    def begin_epoch(self, epoch: int, ranks: Ranks) -> None:
        """Go on with a landing after a resume, and check whether the learning rates can be scaled.

        Args:
            epoch: Index of the epoch that begins.
            ranks: The processes of the run.
        """
        self.course.begin_epoch(epoch)
        if self._decision.is_made and self.course.is_down:
            self._refusals.says("over")  # the loop, or another callback, does not let the run stop
            self.end()
            self.course.landing = None
        if not self._has_begun:
            self._has_begun = True
            self._pending = self._resumed(epoch)
            if self.is_wanted and ranks.size > 1:
                step = agreed_step(self._history.steps, ranks)
                self.course.step = step if self.course.step is None else self.course.step
            self.agree(ranks)
        if self.is_wanted and self.landing is None:
            self._check_rates(ranks)

    def _check_rates(self, ranks: Ranks) -> None:
        """Refuse landings if the learning rates of any process cannot be scaled. Rank 0 says so."""
        rates = self._rates
        why = None if rates is None else self._guarded.ask("The learning rates", rates.refusal, None)
        is_refused = ranks.size > 1 and ranks.sum([float(why is not None)])[0] > 0
        if ranks.rank == 0 and (rates is not None or is_refused):
            self._refusals.check(why or (OF_ANOTHER_PROCESS if is_refused else None))

    def _resumed(self, epoch: int) -> Landing | None:
        """Return the landing of an earlier process if this epoch lies within it. Otherwise say what becomes of it."""
        steps = (self.course.step, self._before.step, self._history.steps)
        step = next((each for each in steps if each is not None), None)  # the loop and the checkpoint know it best
        place = self._before.place_of(epoch, step)
        if place == "within" and self.is_wanted:
            self.course.step = step
            return self._before.landing
        if place != "before":
            self._refusals.says("over" if place == "after" else "dropped")
        return None

    def after_epoch(self, record: EpochRecord, *, is_unasked: bool) -> None:
        """Stop after the last epoch of a landing. Refuse landings that the loop makes impossible.

        Args:
            record: The last record.
            is_unasked: Whether the loop never asked the budgets inside the epoch.
        """
        landing = self.landing
        if not self.is_wanted:
            return
        if landing is not None:
            last, epoch = landing.last_epoch, record.epoch
            if last is None or epoch is None or not record.closes_epoch:
                return
            if self.course.ends_with(epoch, self._plan()):
                self._decision.stop(stop_reason(landing, self.course), "after", epoch)
            elif epoch >= last:
                self._pending = replace(landing, last_epoch=None)
        elif record.closes_epoch and record.complete:
            asks = not is_unasked if self.is_for_budgets else None
            self._refusals.lacks(lack_of(self._history, self.course, has_rates=self._rates is not None, asks=asks))

    def ask(self, verdict: Verdict, policy: Policy) -> Verdict:
        """Begin the landing that a verdict asks for, and hold the rules while the run lands.

        Args:
            verdict: The verdict of a policy after a record.
            policy: The policy.

        Returns:
            The verdict that counts.
        """
        if self.landing is None and verdict.landing is None:
            return verdict
        is_budget = isinstance(policy, Budget)
        if self.landing is not None:
            if verdict.landing is not None or (verdict.stop and not is_budget):
                reason = f"The run lands, and this rule waits. {verdict.reason}"
                return replace(verdict, stop=False, code="waiting", reason=reason, landing=None)
            return verdict
        if self._decision.is_made:
            return verdict
        if not (self.is_wanted and lands(policy)):
            self._refusals.stranger(policy)
        elif not self._plan().landing_refused and self._request(verdict, rounds_up=not is_budget):
            return verdict
        return replace(verdict, stop=True, code="stopping", landing=None)

    def _request(self, verdict: Verdict, *, rounds_up: bool) -> bool:
        """Prepare the landing of a verdict. Return whether a landing will begin."""
        if self._pending is None:
            share, inexact = verdict.landing or 0.0, not self.course.is_exact
            plan, reason = self._plan(), verdict.reason
            landing = landing_of(self._history, plan, share, reason, rounds_up=rounds_up, whole_epochs=inexact)
            self._prepare(landing)
        return self._pending is not None

    def inside(self, lefts: Sequence[Left | None]) -> bool:
        """Begin the landing of a budget inside an epoch, or shorten a landing that would overspend a budget.

        Args:
            lefts: The rest of each budget.

        Returns:
            Whether a landing is to begin or to be shortened.
        """
        if not self.is_wanted or self._decision.is_made:
            return False
        if self.landing is not None:
            self._pending = self._shortening.of(self.course, lefts)
            return self._pending is not None
        due = next((left for left in lefts if left and left.amount <= 0 and left.landing > 0), None)
        if due is None or self._plan().landing_refused:
            return False
        step = self.course.step
        if self._rates is None or step is None or not self.course.is_exact:
            self._refusals.lacks("rates" if self._rates is None else "exact steps")
            return False
        at = Position.of(self._history, step, self._decision.epoch)
        self._prepare(landing_of(self._history, self._plan(), due.landing, due.reason, rounds_up=False, position=at))
        return self._pending is not None

    def _prepare(self, landing: Landing | None) -> None:
        self._pending = landing and replace(landing, steps_a_batch=self.course.steps_a_batch)

    def agree(self, ranks: Ranks) -> None:
        """Begin the pending landing of rank 0 on all ranks. Every rank calls this at the same hook.

        Args:
            ranks: The processes of the run.
        """
        if not self.is_wanted:
            return
        self._is_first_rank = ranks.rank == 0
        pending, self._pending = agreed(self._pending, ranks), None
        if pending is not None and not self._decision.is_made:
            self._begin(pending, ranks)

    def _begin(self, landing: Landing, ranks: Ranks) -> None:
        """Begin a landing, replace it by a shorter one, or go on with it. All processes do so, or none."""
        before, self._shortening = self.landing, Shortening()
        has_failed = not self._scales(landing)
        if ranks.size > 1:
            has_failed = ranks.sum([float(has_failed)])[0] > 0
        if not has_failed:
            self.publish(replace(self._plan(), landing=landing))
            self._say(landing, before)
            return
        self.end()
        self.course.landing = None
        if self._is_first_rank:
            self._decision.stop(landing.reason, "in", landing.epoch)
        else:
            self._decision.follow_rank_0()

    def _scales(self, landing: Landing) -> bool:
        """Scale the learning rates from the next step on. Return whether this has worked."""
        rates, self.course.landing = self._rates or LoopRates(), landing
        try:
            rates.begin(self.course)
        except Exception as reason:  # noqa: BLE001  optimizers are other people's code
            self.course.landing = None
            self._guarded.tell("Putting the learning rates back", rates.end)
            logger.warning(_FAILED, type(reason).__name__, reason, "The training is stopped at once instead.")
            return False
        return True

    def _say(self, landing: Landing, before: Landing | None) -> None:
        if not self._is_first_rank:
            return
        if before is not None and landing.end >= before.end:
            say_further(landing, self.course)
        elif before is not None:
            say_shortened(landing, self._history)
        elif landing is self._before.landing:
            say_resumed(landing, self.course)
        else:
            say_begun(landing, self._history, self._decision.epoch)

    def at(self, step: int, *, is_open: bool = True, is_by_batch: bool = False) -> bool:
        """Note the optimizer steps so far. Stop inside an epoch if the landing ends there.

        Args:
            step: Optimizer steps so far.
            is_open: Whether an epoch is open. Defaults to True.
            is_by_batch: Whether the loop reports them after every batch. Defaults to False, if unknown.

        Returns:
            Whether the run is to stop inside the epoch.
        """
        landing = self.landing
        if not self.course.at(step, is_by_batch=is_by_batch) or landing is None or not is_open:
            return False
        if self._is_first_rank:
            self._decision.stop(stop_reason(landing, self.course), "in", self._decision.epoch)
        else:
            self._decision.follow_rank_0()
        return True

    def counted(self, counts: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return observed counts with the learning rate that was used, the rate of the schedule times the factor.

        Args:
            counts: The learning rate of the user's schedule, and counts by name. None if unknown.
        """
        if self.landing is None:
            return counts
        rate = quiet_number(counts.get("learning_rate"))
        return counts if rate is None else {**counts, "learning_rate": rate * self.course.left}

    def verdict(self) -> Verdict | None:
        """Return the state of the landing for the record that has just been made. None without a landing."""
        landing = self.landing or (None if self._decision.is_made else self._pending)
        return None if landing is None else state_of(landing, self.course)

    def end(self) -> None:
        """Put the learning rates back, because the training has ended."""
        if self._rates and self.landing:
            self._guarded.tell("Putting the learning rates back", self._rates.end)


def _ignored(plan: Plan) -> None:
    """Ignore a plan, before the run can keep it."""

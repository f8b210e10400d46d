"""The landing of a run, from the verdict that asks for it to the stop."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from green_callbacks.accountant.decisions.stop_decision import StopDecision
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.landing.agreement import agreed
from green_callbacks.accountant.landing.course import Course
from green_callbacks.accountant.landing.rates import Rates
from green_callbacks.accountant.landing.shortening import Shortening
from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.ranks import Ranks
from green_callbacks.policies import Budget, Left, Policy, lands, title_of
from green_callbacks.policies.landing import Position, landing_of, over_words
from green_callbacks.records import EpochRecord, History, Landing, Plan, Verdict
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_NO_RATES: Final = (
    "No optimizer is known. Call accountant.scale_learning_rates(optimizer) before the loop, or leave landing out."
)
_NO_STEPS: Final = (
    "The loop reports no optimizer steps. Go through accountant.steps(batches), or report step=… to "
    "accountant.observe() after every step."
)
_UNASKED: Final = (
    "The loop does not ask inside epochs, so a budget cannot land in time. Go through accountant.steps(batches), or "
    "call accountant.look() after every batch and stop when it returns True."
)
_INEXACT: Final = (
    "The loop reports its optimizer steps after epochs only, so no landing can begin inside an epoch. Go through "
    "accountant.steps(batches), or report step=… to accountant.observe() after every step."
)
_FAILED: Final = "The learning rate could not be scaled (%s: %s). %s"


class RunLanding:
    """Begins, follows and ends the landing of a run. Rank 0 decides, and every rank counts its own steps.

    Args:
        policies: The policies of the run, the same on all ranks.
        history: All records of the run. It grows.
        notices: Receives the warnings.
        decision: Whether the run is to stop.
        plan: Returns the plan.
        before: A landing that an earlier process has begun, or None.
        step: Optimizer steps in the checkpoint of that process, or None if unknown.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        history: History,
        notices: Notices,
        decision: StopDecision,
        plan: Callable[[], Plan],
        before: Landing | None,
        step: int | None,
    ) -> None:
        self.course = Course()
        self._landers = [policy for policy in policies if lands(policy)]
        self.is_wanted = bool(self._landers)
        """Whether a policy may begin a landing."""
        self.is_for_budgets = any(isinstance(policy, Budget) for policy in self._landers)
        """Whether a budget may begin a landing inside an epoch."""
        self.publish: Callable[[Plan], object] = _ignored
        """Replaces the plan, in the ledger too."""
        self._history = history
        self._notices = notices
        self._decision = decision
        self._plan = plan
        self._before = before
        self._resumed_step = step
        self._guarded = Guarded()
        self._rates: Rates | None = None
        self._pending: Landing | None = None
        self._shortening = Shortening()
        self._has_begun = False
        self._refused_by = ""

    @property
    def landing(self) -> Landing | None:
        """The landing that has begun, or None."""
        return self.course.landing

    def use(self, rates: Rates | None) -> None:
        """Use the learning rates of a loop, if it has any.

        Args:
            rates: The learning rates.
        """
        if rates is not None:
            self._rates = rates
            if self.landing is not None:
                self._begin(self.landing)

    def begin_epoch(self, epoch: int, ranks: Ranks) -> None:
        """Go on with a landing after a resume, and check whether the learning rates can be scaled.

        Args:
            epoch: Index of the epoch that begins.
            ranks: The processes of the run.
        """
        if not self.is_wanted:
            return
        self.course.begin_epoch()
        if not self._has_begun:
            self._has_begun = True
            self._pending = self._kept(epoch)
            self.agree(ranks)
        if self.landing is None:
            self._check_rates()

    def _kept(self, epoch: int) -> Landing | None:
        """Return the landing of an earlier process if this epoch lies within it."""
        landing, steps = self._before, (self._history.steps, self._resumed_step)
        step = max((each for each in steps if each is not None), default=None)
        if landing is None or epoch < landing.epoch or (landing.last_epoch is not None and epoch > landing.last_epoch):
            return None
        if step is None or not landing.first_step <= step < landing.end:
            return None
        self.course.step = step
        return landing

    def _check_rates(self) -> None:
        """Refuse landings if the learning rates cannot be scaled, and allow them again once they can."""
        rates = self._rates
        why = _NO_RATES if rates is None else self._guarded.ask("The learning rates", rates.refusal, None)
        if why is not None:
            self.refuse(why)
        elif self._plan().landing_refused and self._refused_by == "rates":
            self._notices.withdraw("landing")
            self.publish(replace(self._plan(), landing_refused=False))

    def refuse(self, why: str, by: str = "rates") -> None:
        """Have policies stop without a landing from now on, and say why.

        Args:
            why: The reason with the remedy, as sentences.
            by: The part that refuses, ``rates`` or ``loop``. Defaults to ``rates``.
        """
        if self._plan().landing_refused:
            return
        self._refused_by = by
        names = " and ".join(title_of(policy) for policy in self._landers)
        self._notices.say("landing", "%s cannot land, so the training is stopped at once instead. %s", names, why)
        self.publish(replace(self._plan(), landing_refused=True))

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
            last = landing.last_epoch
            if last is not None and record.closes_epoch and record.epoch is not None and record.epoch >= last:
                self._decision.stop(_landed(landing), "after", record.epoch)
        elif record.closes_epoch and record.complete and self._history.steps is None:
            self.refuse(_NO_STEPS, "loop")
        elif record.closes_epoch and is_unasked and self.is_for_budgets:
            self.refuse(_UNASKED, "loop")

    def ask(self, verdict: Verdict, policy: Policy) -> Verdict:
        """Begin the landing that a verdict asks for, and hold the rules while the run lands.

        Args:
            verdict: The verdict of a policy after a record.
            policy: The policy.

        Returns:
            The verdict that counts.
        """
        landing, is_budget = self.landing, isinstance(policy, Budget)
        if landing is not None:
            if verdict.landing is not None or (verdict.stop and not is_budget):
                reason = f"The run lands, and this rule waits. {verdict.reason}"
                return replace(verdict, stop=False, code="waiting", reason=reason, landing=None)
            return verdict
        if verdict.landing is None or self._decision.is_made:
            return verdict
        if not lands(policy):
            self._refuse_strangers(policy)
        elif not self._plan().landing_refused and self._request(verdict, rounds_up=not is_budget):
            return verdict
        return replace(verdict, stop=True, code="stopping", landing=None)

    def _refuse_strangers(self, policy: Policy) -> None:
        message = (
            "%s asks for a landing, but has no attribute `landing` above 0, so nothing was prepared. It stops at once. "
            "Add the attribute."
        )
        self._notices.say("landing of a stranger", message, title_of(policy))

    def _request(self, verdict: Verdict, *, rounds_up: bool) -> bool:
        """Prepare the landing of a verdict. Return whether a landing will begin."""
        if self._pending is None:
            landing = landing_of(
                self._history,
                self._plan(),
                verdict.landing or 0.0,
                verdict.reason,
                rounds_up=rounds_up,
                whole_epochs=not self.course.is_exact,
            )
            self._pending = landing and replace(landing, steps_a_batch=self.course.steps_a_batch)
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
        step, epoch = self.course.step, self._decision.epoch
        if not self.course.is_exact or step is None:
            self.refuse(_INEXACT, "loop")
            return False
        at = Position.of(self._history, step, epoch)
        landing = landing_of(self._history, self._plan(), due.landing, due.reason, rounds_up=False, position=at)
        self._pending = landing and replace(landing, steps_a_batch=self.course.steps_a_batch)
        return self._pending is not None

    def agree(self, ranks: Ranks) -> None:
        """Begin the pending landing of rank 0 on all ranks. Every rank calls this at the same hook.

        Args:
            ranks: The processes of the run.
        """
        if not self.is_wanted:
            return
        pending, self._pending = agreed(self._pending, ranks), None
        if pending is not None and not self._decision.is_made:
            self._begin(pending)

    def _begin(self, landing: Landing) -> None:
        """Begin a landing, replace it by a shorter one, or go on with it."""
        is_new, self.course.landing = self.landing is None, landing
        self._shortening = Shortening()
        rates = self._rates
        try:
            if rates is not None:
                rates.begin(self.course)
        except Exception as reason:  # noqa: BLE001  optimizers are other people's code
            self.course.landing = None
            logger.warning(_FAILED, type(reason).__name__, reason, "The training is stopped at once instead.")
            self._decision.stop(landing.reason, "in", landing.epoch)
            return
        self.publish(replace(self._plan(), landing=landing))
        self._say(landing, is_new=is_new)

    def _say(self, landing: Landing, *, is_new: bool) -> None:
        over = over_words(landing, self._history)
        if is_new:
            logger.warning(
                "Landing %s epoch %s. %s The learning rate goes to zero %s, then training stops.",
                "after" if self._decision.epoch is None or self._history.last_epoch == landing.epoch else "in",
                landing.epoch,
                landing.reason,
                over,
            )
        else:
            logger.warning("The landing is shortened to stay within the budget. It ends %s.", over)

    def at(self, step: int) -> bool:
        """Note the optimizer steps so far. Stop inside an epoch if the landing ends there.

        Args:
            step: Optimizer steps so far.

        Returns:
            Whether the run is to stop inside the epoch.
        """
        landing = self.landing
        if not self.course.at(step) or landing is None:
            return False
        self._decision.stop(_landed(landing), "in", self._decision.epoch)
        return True

    def counted(self, counts: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return observed counts with the learning rate that was used, the rate of the schedule times the factor.

        Args:
            counts: The learning rate of the user's schedule, and counts by name. None if unknown.
        """
        rate = counts.get("learning_rate")
        if rate is None or self.landing is None:
            return counts
        numbers = self._guarded.numbers({"learning_rate": rate})
        return {**counts, **{name: number * self.course.left for name, number in numbers.items()}}

    def verdict(self) -> Verdict | None:
        """Return the state of the landing for the record that has just been made. None without a landing."""
        landing = self.landing
        if landing is None:
            return None
        left = self.course.left
        reason = "The landing is over." if left <= 0 else f"The learning rate goes to zero {self._until(landing)}."
        return Verdict(stop=False, code="landing", reason=reason, values={"green/landing": left})

    def _until(self, landing: Landing) -> str:
        if landing.last_epoch is not None:
            return f"until the end of epoch {landing.last_epoch}"
        return f"over the next {max(landing.end - (self.course.step or 0), 1)} steps"

    def end(self) -> None:
        """Put the learning rates back, because the training has ended."""
        if self._rates is not None and self.landing is not None:
            self._guarded.tell("Putting the learning rates back", self._rates.end)


def _landed(landing: Landing) -> str:
    return f"{landing.reason} The learning rate went to zero before the stop."


def _ignored(plan: Plan) -> None:
    """Ignore a plan, before the run can keep it."""

"""One shared budget of one run: what it tells the registry, and what its policies learn from the answers."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.shared_budgets.demand import Demand
from green_callbacks.accountant.shared_budgets.link import RETRY_SECONDS
from green_callbacks.call_threads import ring
from green_callbacks.records import SharedSpending
from green_callbacks.registry import BudgetRegistry, Claim, Entry, Standing
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.text.wording import duration
from green_callbacks.units import Amount

_PATIENCE_SECONDS: Final = 10.0
"""Time in s without an answer after which a registry counts as away, though it reports no failure."""
_ENTER_SECONDS: Final = 600.0
"""Interval in s at which ledgers of runs that do not claim are entered again."""
ANSWER_SECONDS: Final = 0.002
"""Longest time in s that the first epoch waits for a database, and shortest wait for a quick answer. By convention."""
_QUICK_SECONDS: Final = 1.0
"""Mean time to an answer, in s, up to which the end of a shorter epoch waits for a due answer, and longest wait for it.
By experiment, with 64 runs on two processors."""
_LATENCIES: Final = 4.0
"""Longest wait for a quick registry, as a multiple of its mean time to an answer. By experiment."""
_ROUNDING: Final = 1e-9
"""Relative error of sums, which must not refuse a reserved epoch. No unit."""
_GROWTH: Final = 0.1
"""Share of the run's age after which it asks again what an epoch of other runs costs. By experiment."""
_LATENCY_SHARE: Final = 0.3
"""Weight of the last answer in the mean time that the registry takes. By experiment."""


class Answer(NamedTuple):
    """The last answer of the registry.

    Attributes:
        claim: What was told.
        standing: What the registry answered.
    """

    claim: Claim
    standing: Standing

    @property
    def committed(self) -> float:
        """What this run may spend in all, by this answer."""
        return self.claim.spent + self.standing.held

    @property
    def others(self) -> float:
        """What the other runs have spent and hold."""
        return self.standing.others_spent + self.standing.others_held


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBudgetTerms:
    """What a run agreed to.

    Attributes:
        title: The budget, as messages call it.
        place: The registry, as messages call it. It holds no password.
        projects: Folder or glob pattern of the project, in every way in which the policies name it.
        amount: The budget of the script.
        on_outage: What happens while the registry is away.
        is_projected: Whether the policies stop before an epoch that would cost more than is left. Defaults to True.
    """

    title: str
    place: str
    projects: tuple[str, ...]
    amount: Amount
    on_outage: Literal["share", "go_on"]
    is_projected: bool = True


class _Note(NamedTuple):
    """What a run wants to tell. Two notes are the same only if they are the same object."""

    demand: Demand
    is_ended: bool
    epoch_seconds: float | None


class SharedAccount:
    """Keeps the latest claim and the latest answer. The training thread notes and looks, another thread talks.

    Both threads replace whole values, so neither waits for the other.

    Args:
        terms: The budget.
        claim: The claim at the start of the run.
        entries: Returns what the ledgers of other runs tell.
        notices: Receives what the user must know.
    """

    def __init__(
        self, terms: SharedBudgetTerms, claim: Claim, entries: Callable[[], Sequence[Entry]], notices: Notices
    ) -> None:
        self.terms = terms
        self._entries = entries
        self._by_ledgers: float | None = None
        self._notices = notices
        self._claim = claim
        self._note = _Note(Demand(claim.spent), is_ended=False, epoch_seconds=None)
        self._told: _Note | None = None
        self._answer: Answer | None = None
        self._began_at = self._asked_at = time.monotonic()
        self._entered_at: float | None = None
        self._away_since: float | None = None
        self._was_away_seconds = self._latency_seconds = 0.0
        self._is_blind = True
        """Whether nothing was known of the others at the last decision, before which an epoch was not reserved."""
        self.on_first: Callable[[], object] = lambda: None
        """Called once, on the thread that talks, with the first answer."""
        self._first = threading.Lock()
        self._first.acquire()
        self._news = threading.Lock()
        self._news.acquire()

    @property
    def is_waiting(self) -> bool:
        """Whether something is not told yet."""
        return self._told is not self._note

    def await_first(self, timeout_seconds: float) -> None:
        """Wait for the first answer.

        Args:
            timeout_seconds: Longest time to wait, in s.
        """
        if self._first.acquire(timeout=timeout_seconds):
            ring(self._first)

    def note(self, demand: Demand, *, is_ended: bool = False, epoch_seconds: float | None = None) -> None:
        """Note what the run has spent and needs. It is told as soon as the registry listens.

        Args:
            demand: What the run has spent and needs.
            is_ended: Whether the run is over. Defaults to False.
            epoch_seconds: Length of an epoch, in s. Defaults to None, if unknown.
        """
        if not self.is_waiting:
            self._asked_at = time.monotonic()
        self._note = _Note(demand, is_ended, epoch_seconds)

    def tell(self, registry: BudgetRegistry) -> float | None:
        """Tell the latest note, and keep the answer. Called on the thread that talks.

        Args:
            registry: The registry.

        Returns:
            Time in s after which to ask again. None for no need.
        """
        note, began = self._note, time.monotonic()
        self._news.acquire(blocking=False)
        if self._told is note and not note.is_ended and self._is_enter_due(began):  # what is new is told first
            registry.enter(self._entries())
            self._entered_at = began = time.monotonic()
        before = None if self._answer is None else self._answer.standing.epoch_cost
        claim = self._claim_of(note, before)
        standing = registry.claim(claim)
        is_later, self._answer, self._told = self._answer is not None, Answer(claim, standing), note
        ring(self._news)
        now = time.monotonic()
        taken = now - began
        self._latency_seconds += (_LATENCY_SHARE if is_later else 1.0) * (taken - self._latency_seconds)
        if not is_later:
            self.on_first()
        self._say_back()
        self._say_limit(standing)
        if note.is_ended:
            return None
        if self._entered_at is None:
            return 0.0  # now the ledgers, which may take longer than many epochs
        is_cost_known = note.demand.cost is not None or note.demand.is_over
        if not is_cost_known and before is None and standing.epoch_cost is not None:
            return 0.0  # now the first epoch can be reserved
        ring(self._first)
        if not is_cost_known:
            return max(RETRY_SECONDS, _GROWTH * (now - self._began_at))
        return None if standing.is_granted else RETRY_SECONDS

    def _is_enter_due(self, now: float) -> bool:
        return self._entered_at is None or now > self._entered_at + _ENTER_SECONDS

    def _claim_of(self, note: _Note, others_cost: float | None) -> Claim:
        demand = note.demand.or_cost(others_cost)
        answer_epochs = self._latency_seconds / note.epoch_seconds if note.epoch_seconds else 0.0
        return replace(
            self._claim,
            spent=demand.spent,
            under_way=0.0 if note.is_ended else demand.under_way,
            wanted=0.0 if note.is_ended else demand.wanted(answer_epochs),
            epoch_cost=note.demand.cost,
            is_ended=note.is_ended,
        )

    def fail(self, failure: BaseException) -> None:
        """Note that the registry is away. Called on the thread that talks.

        Args:
            failure: Why.
        """
        if self._away_since is None:
            self._away_since = self._asked_at
        self._say_away(str(failure) or type(failure).__name__)
        try:
            if self._answer is None and self._by_ledgers is None:
                self._by_ledgers = sum(entry.spent for entry in self._entries())
        finally:
            ring(self._first)  # whatever the ledgers do, the first epoch does not wait for them in vain

    def views(self, demand: Demand, *, is_inside: bool = False) -> Iterator[SharedSpending]:
        """Return what :meth:`view` returns, for every name of the project.

        Args:
            demand: What the run has spent and needs.
            is_inside: Whether an epoch is under way. Defaults to False, before a decision on the next epoch.
        """
        view = self.view(demand, is_inside=is_inside)
        return (view._replace(project=name) for name in self.terms.projects if view is not None)

    def view(self, demand: Demand, *, is_inside: bool = False) -> SharedSpending | None:
        """Return what the policies are to know of the other runs. None before the first answer or failure.

        Args:
            demand: What the run has spent and needs.
            is_inside: Whether an epoch is under way, which the run may end whatever the others hold. Defaults to False,
                before a decision on the next epoch.
        """
        if not is_inside and not self.is_away and self.is_waiting and not self._is_covered(demand):
            self._news.acquire(timeout=self._patience_seconds())
        answer = self._answer
        if not self.is_away and self.is_waiting and time.monotonic() > self._asked_at + _PATIENCE_SECONDS:
            self._away_since = self._asked_at
            self._say_away(f"it has not answered for {_PATIENCE_SECONDS:.0f} s")
        if not is_inside:
            self._is_blind = answer is None
        if answer is None:
            return self._view_by_ledgers(demand)
        standing, allowed = answer.standing, self._allowed(answer, demand)
        if is_inside and not self._is_blind:
            # It ends although it costs more than expected, if its share of what nobody holds suffices.
            allowed = max(allowed, answer.claim.spent + answer.claim.under_way + self._share(answer))
        return SharedSpending(
            self.terms.projects[0],
            self.terms.amount.quantity,
            spent=max(standing.others_spent - demand.not_ours, 0.0),  # the policies count it with this run
            held=max(standing.others_held - max(allowed - standing.left, 0.0), 0.0),
            withheld=0.0 if standing.left - allowed < _ROUNDING * standing.limit else standing.left - allowed,
            limit=standing.set_limit,
        )

    def _view_by_ledgers(self, demand: Demand) -> SharedSpending | None:
        """Return what the ledgers tell while the registry has never answered. None if they are not read."""
        if self._by_ledgers is None:
            return None
        spent = max(self._by_ledgers - demand.not_ours, 0.0)
        return SharedSpending(self.terms.projects[0], self.terms.amount.quantity, spent)

    def _allowed(self, answer: Answer, demand: Demand) -> float:
        """Return what this run may spend in all."""
        standing, share = answer.standing, self._share(answer)
        if self.is_away:
            is_free = self._is_covered(demand) or self.terms.on_outage == "go_on"
            return standing.left if is_free else answer.committed + share
        if not self.is_waiting and not standing.is_granted and standing.left < answer.committed + answer.claim.wanted:
            can_project = demand.cost is not None and (self.terms.is_projected or standing.live_runs <= 1)
            return min(answer.committed + (share if can_project else 0.0), standing.left)
        is_settled = standing.is_granted and not self.is_waiting
        if is_settled or self._is_covered(demand):
            return standing.left
        return answer.committed + share  # the answer is on its way, or others asked as well

    def _patience_seconds(self) -> float:
        """Return how long a decision waits for an answer, which matters only where epochs are shorter than answers."""
        is_due = time.monotonic() < self._asked_at + _QUICK_SECONDS
        is_worth_it = self.is_quick and is_due
        return min(max(ANSWER_SECONDS, _LATENCIES * self._latency_seconds), _QUICK_SECONDS) if is_worth_it else 0.0

    @property
    def is_quick(self) -> bool:
        """Whether the registry usually answers within a second."""
        return self._answer is not None and self._latency_seconds <= _QUICK_SECONDS and not self.is_away

    def _is_covered(self, demand: Demand) -> bool:
        """Return whether the run holds what it needs next."""
        answer = self._answer
        return answer is not None and demand.spent + (demand.cost or 0.0) <= answer.committed * (1 + _ROUNDING)

    def _share(self, answer: Answer) -> float:
        """Return the share of this run of what was left when the registry last answered."""
        return max(answer.standing.left - answer.committed, 0.0) / max(answer.standing.live_runs, 1)

    @property
    def is_away(self) -> bool:
        """Whether the registry does not answer."""
        return self._away_since is not None

    def _say_away(self, reason: str) -> None:
        terms = self.terms
        self._notices.say(
            f"registry {terms.place}",
            "The registry of %s is away. %s. The run goes on%s. Its ledger keeps everything, and the registry is told "
            "when it is back.",
            terms.title,
            f"{reason[:1].upper()}{reason[1:]}".rstrip("."),
            self._rest(),
        )

    def _rest(self) -> str:
        answer = self._answer
        if self.terms.on_outage == "go_on":
            return ", as if the other runs spent nothing more"
        if answer is None:
            return " and counts what the ledgers of the project tell, but nothing that others spend from now on"
        share = self._written(self._share(answer))
        return f" within its share of what was left, which is {share} beyond its reserved epochs"

    def _written(self, amount: float) -> str:
        return format_mass(amount) if self.terms.amount.quantity == "emissions_kg" else format_energy(amount)

    def _say_back(self) -> None:
        since, self._away_since = self._away_since, None
        if since is None:
            return
        seconds = time.monotonic() - since
        self._was_away_seconds += seconds
        key = f"registry {self.terms.place}"
        self._notices.withdraw(key)
        self._notices.note(
            key,
            "The registry of %s was away for %s. It is back, and knows the spending of this run.",
            self.terms.title,
            duration(self._was_away_seconds),
        )

    def _say_limit(self, standing: Standing) -> None:
        if standing.set_limit is not None and standing.set_limit != self.terms.amount.value:
            self._notices.say(
                f"limit {self.terms.place}",
                "The budget of %s was set to %s for all its runs with 'green-callbacks project --set-budget'. That "
                "counts, and not %s of the script.",
                self.terms.projects[0],
                self._written(standing.set_limit),
                self._written(self.terms.amount.value),
            )

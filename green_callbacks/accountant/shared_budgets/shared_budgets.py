"""All shared budgets of a run."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from os import urandom
from typing import Final, NamedTuple

from green_callbacks.accountant.decisions.policy_board import PolicyBoard
from green_callbacks.accountant.ranks.host import host_name
from green_callbacks.accountant.setup.options import Settings
from green_callbacks.accountant.setup.resume import RunState
from green_callbacks.accountant.setup.trainer_context import TrainerContext
from green_callbacks.accountant.shared_budgets.account import ANSWER_SECONDS, SharedAccount, SharedBudgetTerms
from green_callbacks.accountant.shared_budgets.demand import Demand
from green_callbacks.accountant.shared_budgets.ledger_entries import ledger_entries
from green_callbacks.accountant.shared_budgets.link import LINKS, RegistryLink
from green_callbacks.accountant.shared_budgets.trial_folder import PRIVATE, is_private
from green_callbacks.call_threads import Threads
from green_callbacks.ledger.index.ledger_index import LedgerIndex
from green_callbacks.ledger.project_ledgers import folder_of
from green_callbacks.policies import Policy, SharedBudget, title_of
from green_callbacks.records import EpochRecord, History, SharedSpending
from green_callbacks.registry import Claim
from green_callbacks.registry.files.budget_folder import budget_folder
from green_callbacks.registry.opening import check_registry_url, open_registry
from green_callbacks.registry.sql import hide_password
from green_callbacks.units import Quantity

_FILES_SECONDS: Final = 3.0
"""Longest time in s that the first epoch waits for the files of a project, before any batch."""
_DATABASE_SECONDS: Final = ANSWER_SECONDS
"""Longest time in s that the first epoch waits for a database."""
_CLOSE_SECONDS: Final = 2.0
"""Longest time in s that the close of a run waits for a registry that usually answers within a second."""


class SharedBudgets:
    """Tells the registries of a run what it spends, and the policies what the other runs spend.

    Args:
        settings: The checked options.
        trainer: The context that the adapter knows.
        state: The run's name, file and records so far.
        board: The policies.
        threads: Starts the threads that talk.
    """

    def __init__(
        self, settings: Settings, trainer: TrainerContext, state: RunState, board: PolicyBoard, threads: Threads
    ) -> None:
        self.publish: Callable[[tuple[SharedSpending, ...]], object] = lambda _: None
        """Gives the policies, the sinks and the ledger what the other runs have spent and hold."""
        self._state = state
        self._board = board
        self._threads = threads
        self._history: History = state.history
        self.hurry: Callable[[], object] = lambda: None
        """Lets the open epoch check its budgets at once."""
        self.share_of: Callable[[EpochRecord], float] = lambda _: 1.0
        """Returns the part of a record that the project counts for this run."""
        self._seen = len(state.history)
        self._not_ours = {"emissions_kg": 0.0, "facility_kwh": 0.0}
        self._is_training = False
        is_ours = trainer.ranks.rank == 0 and not trainer.is_provisional
        shared = [each for each in settings.policies if isinstance(each, SharedBudget) and each.project]
        self._accounts: dict[SharedAccount, tuple[RegistryLink, bool]] = {}
        budgets: dict[_Key, list[SharedBudget]] = {}
        for policy in shared if is_ours else ():
            budgets.setdefault(_key_of(policy, settings), []).append(policy)
        for key, policies in budgets.items():
            self._add(policies, key, settings.absolute_project(str(policies[0].project)))

    def _add(self, policies: Sequence[SharedBudget], key: "_Key", folder: str) -> None:
        """Add a budget, which several policies may name. The smallest amount is claimed, as each policy keeps its own.

        Args:
            policies: The policies with this budget.
            key: The budget.
            folder: Folder or glob pattern of its project, which the working folder does not change.
        """
        state, url, quantity = self._state, key.url, key.quantity
        policy = min(policies, key=lambda each: each.amount.value)
        projects = tuple(dict.fromkeys(str(each.project) for each in policies))
        place = projects[0] if url is None else url.partition(":///")[2]  # empty for a database on a server
        if place and is_private(place):
            state.notices.say("private budget", PRIVATE, place)
        terms = SharedBudgetTerms(
            title=title_of(policy),
            place=projects[0] if url is None else f"{hide_password(url)} for {projects[0]}",
            projects=projects,
            amount=policy.amount,
            on_outage="go_on" if all(_goes_on(each) for each in policies) else "share",
            is_projected=all(_is_projected(each) for each in policies),
        )
        claim = Claim(
            run_id=state.run_id,
            session=urandom(6).hex(),
            spent=self._demand(quantity).spent,
            under_way=0.0,
            wanted=0.0,
            limit=policy.amount.value,
            host=host_name(),
            ledger="" if state.ledger is None else str(state.ledger),
        )
        index = LedgerIndex(folder_of(folder))
        account = SharedAccount(terms, claim, partial(ledger_entries, folder, quantity, state, index), state.notices)
        link = LINKS.to(key, partial(open_registry, url, folder if url is None else key.place, quantity))
        self._accounts[account] = link, url is None

    def __bool__(self) -> bool:
        """Return whether there are shared budgets."""
        return bool(self._accounts)

    def start(self) -> None:
        """Begin to talk."""
        for account, link in self._links():
            account.on_first = self.hurry
            account.note(self._demand(account.terms.amount.quantity))
            link.join(account, self._threads)

    def begin_training(self) -> None:
        """Learn what is left before the first epoch. Waits a short time for the first answer."""
        for account, (_, is_files) in self._accounts.items():
            account.await_first(_FILES_SECONDS if is_files else _DATABASE_SECONDS)
        self.look()

    def begin_epoch(self) -> None:
        """Note that an epoch begins, whose cost nobody can take back."""
        if not self._is_training:
            self._is_training = True
            self.tell()

    def look(self, *, is_inside: bool = False) -> None:
        """Give the policies what the other runs have spent and hold, as far as the registries have answered.

        Args:
            is_inside: Whether an epoch is under way. Defaults to False, before a decision on the next epoch.
        """
        if self._accounts:
            self._divide()
            needs = [(account, self._demand(account.terms.amount.quantity)) for account in list(self._accounts)]
            views = [account.views(demand, is_inside=is_inside) for account, demand in needs]
            self.publish(tuple(chain.from_iterable(views)))

    def tell(self) -> None:
        """Tell the registries what the run has spent and needs, after a record and the decision on it."""
        seconds = self._epoch_seconds() if self._accounts else None
        for account, link in self._links():
            account.note(self._demand(account.terms.amount.quantity), epoch_seconds=seconds)
            link.wake()

    def beat(self, used: EpochRecord) -> None:
        """Tell the registries that the run goes on, and what it has used since the last record.

        Args:
            used: Energy and emissions since the last record.
        """
        for account, link in self._links():
            is_carbon = account.terms.amount.quantity == "emissions_kg"
            opened = (used.emissions_kg if is_carbon else used.facility_kwh) or 0.0
            demand = self._demand(account.terms.amount.quantity)
            account.note(demand.with_open(opened, used.duration_seconds), epoch_seconds=self._epoch_seconds())
            link.wake()

    def end(self) -> None:
        """Tell the registries the last total. A database is told by a thread of its own."""
        self._is_training = False
        self._divide()
        for account, (link, _) in self._accounts.items():
            account.note(self._demand(account.terms.amount.quantity, is_over=True), is_ended=True)
            link.leave(account)
            if account.is_quick:  # a child of multiprocessing or of Ray ends without any later moment
                link.finish(_CLOSE_SECONDS)
        self._accounts = {}

    def _links(self) -> Iterator[tuple[SharedAccount, RegistryLink]]:
        return ((account, link) for account, (link, _) in list(self._accounts.items()))

    def _demand(self, quantity: Quantity, *, is_over: bool = False) -> Demand:
        is_over = is_over or self._board.stop_reason is not None
        return Demand.of(
            self._history,
            self._board.plan,
            quantity,
            not_ours=self._not_ours[quantity],
            is_training=self._is_training and not is_over,
            is_over=is_over,
        )

    def _divide(self) -> None:
        """Find the part of new records that the project counts for other runs on the same devices."""
        while self._accounts and self._seen < len(self._history):
            record = self._history[self._seen]
            others = 1.0 - self.share_of(record)
            self._not_ours["emissions_kg"] += others * (record.emissions_kg or 0.0)
            self._not_ours["facility_kwh"] += others * (record.facility_kwh or 0.0)
            self._seen += 1

    def _epoch_seconds(self) -> float | None:
        rows = self._history.last_epochs(1)
        return self._history[rows[-1]].duration_seconds if rows else None


def registry_url(policy: Policy, settings: Settings) -> str | None:
    """Return the URL of the database that keeps a shared budget, or None for files.

    Args:
        policy: The budget.
        settings: The options of the accountant, with the registry of the configuration.
    """
    said = getattr(policy, "registry", None)
    url = said if isinstance(said, str) and said else settings.registry
    return check_registry_url(url) if url else None  # which makes a full path of it


class _Key(NamedTuple):
    """What tells the budgets of a run apart, however its policies spell them.

    Attributes:
        url: URL of the registry. None for files.
        place: Folder of the files, or the name of the project in a database.
        quantity: What the budget limits.
    """

    url: str | None
    place: str
    quantity: Quantity


def _key_of(policy: SharedBudget, settings: Settings) -> _Key:
    project, quantity, url = str(policy.project), policy.amount.quantity, registry_url(policy, settings)
    if url is not None:
        return _Key(url, project, quantity)
    return _Key(None, str(budget_folder(settings.absolute_project(project), quantity)), quantity)


def _goes_on(policy: Policy) -> bool:
    return getattr(policy, "on_outage", "share") == "go_on"


def _is_projected(policy: Policy) -> bool:
    return bool(getattr(policy, "hard", False) or getattr(policy, "landing", 0.0))

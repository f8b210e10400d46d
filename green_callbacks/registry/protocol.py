"""What a registry of a shared budget is asked, and what it answers.

The runs of a project share a budget through a registry. A run tells the registry its total so far, what the epoch under
way is expected to cost, and what the next epoch would cost. The registry holds the next epoch for the run only if it
still fits into the budget. So runs that ask at the same moment do not overspend together.

A run tells totals and no differences, so the same claim counts once however often it arrives. What a dead run holds
stays spent, because the run may have used it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Protocol, runtime_checkable

DEAD_SECONDS: Final = 180.0
"""Time in s without a claim after which a run counts as dead. It is three heartbeats, of which one may be late.

Example:
    >>> DEAD_SECONDS
    180.0
"""

FIRST_EPOCHS: Final = 2.6
"""What a run uses before the answer to its first known cost of an epoch, in epochs of the run that asks, by experiment.

It begins its second epoch while it asks, and both may cost 30 % more than an epoch of the other run. A registry counts
this for live runs that know no cost yet. Else the runs whose first epoch ends soonest would get epochs that the others
have under way.
"""


class RunState(StrEnum):
    """Where a run of a registry stands.

    Example:
        >>> RunState("dead") is RunState.DEAD
        True
    """

    LIVE = "live"
    """It tells the registry what it spends."""
    ENDED = "ended"
    """It has told its last total, and holds nothing."""
    DEAD = "dead"
    """It fell silent. What it held counts as spent."""
    ENTERED = "entered"
    """It never claimed anything. Its total was read from its ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a run tells a registry. Amounts are in the unit of the budget, kgCO2e or kWh.

    Example:
        >>> Claim(run_id="digits", session="a1", spent=0.2, under_way=0.1, wanted=0.1, limit=2.0).is_ended
        False

    Attributes:
        run_id: Name of the run.
        session: Name of the process's part of the run, another one at each start. A session claims before it spends
            anything. What it holds counts as spent once another session of its run begins.
        spent: Spending of the run so far, in all its sessions. A total below an earlier total of the session changes
            nothing. If a new session begins below what was told before, the difference stays spent.
        under_way: Expected further spending that nobody can take back, such as the rest of the open epoch.
        wanted: Expected spending of the next epoch, which is held only if it fits into the budget.
        limit: The budget as the run knows it. A limit that was set in the registry replaces it.
        epoch_cost: Spending of an epoch of this run, for runs that start later. Defaults to None, if not known yet.
        is_ended: Whether the run tells its last total, and holds nothing from here on. Defaults to False.
        host: Name of the machine. Defaults to an empty text.
        ledger: Path of the ledger of the run. Defaults to an empty text, for none.
    """

    run_id: str
    session: str
    spent: float
    under_way: float
    wanted: float
    limit: float
    epoch_cost: float | None = None
    is_ended: bool = False
    host: str = ""
    ledger: str = ""


class Standing(NamedTuple):
    """What a registry answers to a claim. Amounts are in the unit of the budget.

    Example:
        >>> Standing(limit=2.0, others_spent=0.5, others_held=0.1, held=0.2, live_runs=3).left
        1.4

    Attributes:
        limit: The budget that holds, which is the set limit or else the limit of the claim.
        others_spent: Spending of all other runs, dead runs included. What earlier sessions of this run have spent
            beyond the total of the claim counts here too.
        others_held: Expected spending of the other live runs.
        held: What this run holds beyond its spending. It includes ``wanted`` only if that was granted.
        live_runs: Number of live runs, this run included.
        epoch_cost: Median of the cost of an epoch of other runs. Defaults to None, if no run knows one.
        is_granted: Whether the wanted amount is held. Defaults to True.
        set_limit: The limit that was set in the registry. Defaults to None, if none was set.
    """

    limit: float
    others_spent: float
    others_held: float
    held: float
    live_runs: int
    epoch_cost: float | None = None
    is_granted: bool = True
    set_limit: float | None = None

    @property
    def left(self) -> float:
        """What the other runs leave of the budget, this run's own spending not deducted."""
        return self.limit - self.others_spent - self.others_held


class Entry(NamedTuple):
    """The total of a run that does not claim, as its ledger tells it.

    Example:
        >>> Entry("digits", 0.2).ledger
        ''

    Attributes:
        run_id: Name of the run.
        spent: Its spending, in the unit of the budget.
        ledger: Path of its ledger. Defaults to an empty text.
        host: Name of its machine. Defaults to an empty text.
        is_closed: Whether its ledger is closed, so that the run ended with this total. Defaults to False.
    """

    run_id: str
    spent: float
    ledger: str = ""
    host: str = ""
    is_closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredRun:
    """A run as a registry knows it. Amounts are in the unit of the budget.

    Example:
        >>> RegisteredRun(run_id="digits", state=RunState.LIVE, spent=0.2, held=0.1, silent_seconds=4.0).host
        ''

    Attributes:
        run_id: Name of the run.
        state: Where it stands.
        spent: Its spending, in all its sessions. For a dead run this includes what it held.
        held: What it holds beyond that.
        silent_seconds: Time since its last claim, in s.
        settled: Part of the spending that is not measured, because it was held when a session of the run died.
            Defaults to 0.
        epoch_cost: Spending of an epoch of the run. Defaults to None, if not known.
        limit: The budget as the run knows it. Defaults to None, for a run that never claimed.
        host: Name of the machine. Defaults to an empty text.
        ledger: Path of its ledger. Defaults to an empty text.
    """

    run_id: str
    state: RunState
    spent: float
    held: float
    silent_seconds: float
    settled: float = 0.0
    epoch_cost: float | None = None
    limit: float | None = None
    host: str = ""
    ledger: str = ""


class RegistryUnavailableError(Exception):
    """A registry does not answer, or not now. The message is one sentence without a password.

    Example:
        >>> raise RegistryUnavailableError("The registry does not answer.")
        Traceback (most recent call last):
        green_callbacks.registry.protocol.RegistryUnavailableError: The registry does not answer.
    """


@runtime_checkable
class BudgetRegistry(Protocol):
    """The registry of one budget, which is one project in one unit.

    Calls may take long, and raise :class:`RegistryUnavailableError` while the registry is away. The object reconnects
    by itself, so that a later call succeeds. One thread at a time calls it. It may be opened on one thread and used on
    another.

    Example:
        >>> isinstance("sqlite:///budget.db", BudgetRegistry)
        False
    """

    def claim(self, claim: Claim) -> Standing:
        """Settle the total of a run, and hold what it expects to spend, in one step.

        Args:
            claim: What the run tells.

        Returns:
            Where the budget stands.

        Raises:
            RegistryUnavailableError: The registry does not answer.
        """
        ...

    def enter(self, entries: Iterable[Entry]) -> None:
        """Enter the totals of runs that do not claim, as their ledgers tell them.

        A live run that claims is left alone. Any other run keeps the largest of its totals, because an older total may
        arrive later. A dead run with a closed ledger has ended, and what it held last was not spent.

        Args:
            entries: The runs. The same run may be entered again with a new total.

        Raises:
            RegistryUnavailableError: The registry does not answer.
        """
        ...

    def runs(self) -> Sequence[RegisteredRun]:
        """Return all runs, in the order of their names.

        Raises:
            RegistryUnavailableError: The registry does not answer.
        """
        ...

    def set_limit(self, limit: float | None) -> None:
        """Set the budget for all runs, whatever their scripts say. None lets the scripts decide again.

        Raises:
            RegistryUnavailableError: The registry does not answer.
        """
        ...

    def set_limit_now(self) -> float | None:
        """Return the limit that was set, or None.

        Raises:
            RegistryUnavailableError: The registry does not answer.
        """
        ...

    def settle_dead(self, silent_seconds: float | None = None) -> Sequence[RegisteredRun]:
        """Let what silent runs hold count as spent.

        Every claim does this for runs that have been silent for :data:`DEAD_SECONDS`.

        Args:
            silent_seconds: Time since the last claim, in s, from which on a run counts as dead. Defaults to
                :data:`DEAD_SECONDS`.

        Returns:
            The runs that were settled now.

        Raises:
            RegistryUnavailableError: The registry does not answer.
        """
        ...

    def close(self) -> None:
        """Let go of connections and files. It may be called again, and raises nothing."""
        ...

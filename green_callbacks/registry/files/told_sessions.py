"""What the sessions of the runs have told, and what this makes of each run.

A session is the part of a run in one process. Each session tells totals of the whole run. A later session may begin
with less than the earlier sessions had told, for example because it resumes from an old checkpoint. What was told or
held before stays spent. So a session keeps an offset, and the total of a run is the sum over its sessions of what each
session told, plus its offset.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, NamedTuple, Self

from green_callbacks.registry.protocol import DEAD_SECONDS, Claim, Entry, RegisteredRun, RunState
from green_callbacks.text.file_names import plain_name, shortened

SessionKey = tuple[str, str]
"""Name of a run, and name of one of its sessions."""

_READABLE_BYTES: Final = 60
"""Size in bytes of the part of a file name that a person can recognize. The rest tells all sessions apart."""
_HASH_DIGITS: Final = 20
"""Hexadecimal digits of the hash in a file name. Two of a million million sessions share them with a chance below 1."""


class Mark(NamedTuple):
    """A claim after which somebody declared a session dead or ended. A later claim of the session revives it.

    Attributes:
        run_id: Name of the run.
        session: Name of the session.
        number: Number of the claim.
    """

    run_id: str
    session: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a session of a run has told last. Amounts are in the unit of the budget.

    Attributes:
        run_id: Name of the run.
        session: Name of the session.
        order: Number of the session within its run. The session with the largest number is the last one.
        number: Number of this claim within its session.
        offset: What counts as spent beyond the total that the session tells, because earlier sessions had told more.
        spent: Total of the run as the session tells it.
        under_way: Expected further spending that nobody can take back.
        wanted: What the session holds, or asks for, beyond that.
        limit: The budget as the session knows it.
        is_asking: Whether it is not decided yet if the session holds ``wanted``. Defaults to False.
        is_ended: Whether this was the last claim. Defaults to False.
        epoch_cost: Spending of an epoch of the run. Defaults to None, if not known.
        host: Name of the machine. Defaults to an empty text.
        ledger: Path of the ledger of the run. Defaults to an empty text.
        told_at: Time of the claim by the clock of the file system, in s since 1970. Defaults to 0.
    """

    run_id: str
    session: str
    order: int
    number: int
    offset: float
    spent: float
    under_way: float
    wanted: float
    limit: float
    is_asking: bool = False
    is_ended: bool = False
    epoch_cost: float | None = None
    host: str = ""
    ledger: str = ""
    told_at: float = 0.0

    @property
    def key(self) -> SessionKey:
        """The names of the run and of the session."""
        return self.run_id, self.session

    @property
    def held(self) -> float:
        """What the session holds beyond its spending."""
        return self.under_way + self.wanted

    def has_ended(self, ends: Collection[Mark]) -> bool:
        """Return whether the session has ended, by its last claim or by its ledger."""
        return self.is_ended or self.mark in ends

    @property
    def mark(self) -> Mark:
        """The mark that declares the session dead after this claim."""
        return Mark(self.run_id, self.session, self.number)

    @property
    def file_name(self) -> str:
        """Name of the file of the session."""
        names = f"{self.run_id}\0{self.session}".encode("utf-8", "surrogatepass")
        digest = sha256(names).hexdigest()[:_HASH_DIGITS]
        return f"{shortened(plain_name(self.run_id), _READABLE_BYTES)}-{digest}.json"

    def following(self, *, wanted: float, is_asking: bool = False) -> Self:
        """Return the next claim of the session, with another wanted amount.

        Args:
            wanted: What the session holds, or asks for, beyond what is under way.
            is_asking: Whether it asks. Defaults to False.
        """
        return replace(self, number=self.number + 1, wanted=wanted, is_asking=is_asking)

    def is_dead(self, now: float, marks: Collection[Mark], dead_seconds: float = DEAD_SECONDS) -> bool:
        """Return whether the session has fallen silent without a last total."""
        if self.is_ended:
            return False
        return now - self.told_at >= dead_seconds or self.mark in marks


def run_of(
    sessions: Collection[Told],
    entry: Entry | None,
    now: float,
    marks: Collection[Mark],
    ends: Collection[Mark],
    own: Claim | None = None,
) -> RegisteredRun:
    """Return where a run stands.

    Args:
        sessions: The last claims of its sessions, at least one.
        entry: Its total by its ledger, if somebody has entered it.
        now: The time by the clock of the file system, in s since 1970.
        marks: Claims after which a session was declared dead.
        ends: Claims after which a session ended, as its ledger tells.
        own: The claim of a run that is surely alive. Defaults to None.

    Returns:
        The run. What a session held counts as spent once the session is dead, or once a later session has begun.
    """
    *before, last = sorted(sessions, key=age)
    is_own = own is not None and (own.run_id, own.session) == last.key
    state = RunState.DEAD if last.is_dead(now, marks) and not is_own else RunState.LIVE
    state = RunState.ENDED if last.has_ended(ends) else state
    gone = before if state is RunState.LIVE else sessions
    settled = sum(told.held for told in gone if not told.has_ended(ends))
    spent = sum(told.spent + told.offset for told in sessions) + settled
    if entry is not None and state is not RunState.LIVE:
        spent = max(spent, entry.spent)
    return RegisteredRun(
        run_id=last.run_id,
        state=state,
        spent=max(spent, 0.0),
        held=last.held if state is RunState.LIVE else 0.0,
        silent_seconds=max(0.0, now - last.told_at),
        settled=settled,
        epoch_cost=last.epoch_cost,
        limit=last.limit,
        host=last.host,
        ledger=last.ledger,
    )


def run_entered(entry: Entry) -> RegisteredRun:
    """Return the run of an entry, which has never claimed anything.

    Args:
        entry: Its total by its ledger.
    """
    return RegisteredRun(
        run_id=entry.run_id,
        state=RunState.ENTERED,
        spent=entry.spent,
        held=0.0,
        silent_seconds=0.0,
        host=entry.host,
        ledger=entry.ledger,
    )


def newer(one: Told | None, other: Told) -> Told:
    """Return the later of two claims of a session."""
    return other if one is None or other.number >= one.number else one


def larger(one: Entry | None, other: Entry) -> Entry:
    """Return the larger of two totals of a run. A total that was read earlier may arrive later."""
    return other if one is None or other.spent >= one.spent else one


def age(told: Told) -> tuple[int, str]:
    """Return a key by which the sessions of a run sort, the last one last."""
    return told.order, told.session

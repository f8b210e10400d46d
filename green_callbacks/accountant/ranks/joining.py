"""How the processes of a run find one another at its start, or before its first epoch."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.ranks.host import this_host
from green_callbacks.accountant.ranks.launcher import Place, numbered_wrongly, place_in_job
from green_callbacks.accountant.ranks.meeting import MEETING_SECONDS, SECOND_MEETING_SECONDS, Meeting, meet
from green_callbacks.accountant.ranks.part import WHOLE, Part, is_bound_apart, sees_every_gpu
from green_callbacks.accountant.ranks.protocol import OneRank, Ranks
from green_callbacks.accountant.ranks.store_ranks import StoreRanks
from green_callbacks.accountant.ranks.torch_group import Group, group_of, under
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_ALONE: Final = (
    "%d of the %d processes of torch.distributed did not start an accountant within %g s, so this process keeps its "
    "own account. It measures its own devices%s, and its policies decide for it alone. If it is to stop, tell the "
    "other processes accountant.stop_reason. For one account of all, call the accountant on every rank, without "
    "`if rank == 0:`."
)
_MET: Final = (
    "All processes of torch.distributed have started an accountant by now. They account for one run from its start on, "
    "so the warning that some did not start no longer holds."
)
_NOT_AGREED: Final = (
    "%s started %d processes, and this one (%d) has found no process group of torch.distributed with the others. So "
    "each process keeps an account of its own and decides alone. The first one of each machine measures memory, and "
    "processors to which no other one alone is bound. That is right for independent trainings. For one training, call "
    "init_process_group() before the first epoch, or give accountant.start() its processes as ranks=."
)
_PARTED: Final = "%s From now on this process counts its own devices, and decides alone."
_PARTED_FROM_0: Final = (
    "%s From now on nothing that this process uses is counted, and it does not learn when rank 0 decides to stop."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """The processes with which a process accounts for a run.

    Attributes:
        ranks: The processes.
        part: The part of the machine that this process counts, where the processes are not agreed. Defaults to all.
        origin: The store of the process group with which they were found. None without one.
        place: The place in the job of a launcher. None for a process that runs alone, or for processes that are agreed.
        is_found: Whether the processes were found, and not named by an adapter.
        is_lost: Whether the store failed when they were to meet. Nobody asks it again, because that may take minutes.
    """

    ranks: Ranks
    part: Part = WHOLE
    origin: Any | None = None
    place: Place | None = None
    is_found: bool = True
    is_lost: bool = False

    @property
    def is_alone(self) -> bool:
        """Whether a process that found no other one counts alone."""
        return self.is_found and self.ranks.size == 1

    @property
    def is_expecting(self) -> bool:
        """Whether other processes are known, which are not agreed yet."""
        return self.is_alone and (self.place is not None or self.origin is not None)


def company_of(ranks: Ranks | None, notices: Notices, environ: Mapping[str, str] = os.environ) -> Company:
    """Find the processes of a run that starts. All of them call this.

    Args:
        ranks: The processes, if an adapter names them.
        notices: Receives the warnings.
        environ: Environment variables. Defaults to ``os.environ``.
    """
    if ranks is not None:
        return Company(ranks=ranks, is_found=False)
    group = group_of()
    return alone(notices, environ) if group is None else _met(group, notices, MEETING_SECONDS)


def alone(notices: Notices, environ: Mapping[str, str] = os.environ) -> Company:
    """Return a process without a process group, which may have been started by a launcher.

    Args:
        notices: Receives the warnings.
        environ: Environment variables. Defaults to ``os.environ``.
    """
    wrong = numbered_wrongly(environ)
    if wrong is not None:
        notices.say("launcher", "%s", wrong)
    place = place_in_job(environ)
    if place is None:
        return Company(ranks=OneRank())
    sees_same = place.shares_environment or sees_every_gpu(environ)
    return Company(ranks=OneRank(), part=Part(place.local_rank, place.local_size, sees_same), place=place)


def joined(before: Company, notices: Notices, *, is_first: bool) -> Company | None:
    """Return the processes of a group that has come since the start, or is another one. None if nothing is new.

    Args:
        before: The processes so far.
        notices: Receives the warnings.
        is_first: Whether this is the first call since the start. Processes that have missed one another meet again.
    """
    if not before.is_found:
        return None
    meets_again = is_first and before.is_alone and not before.is_lost
    group = group_of(None if meets_again else before.origin)
    return None if group is None else _met(group, notices, SECOND_MEETING_SECONDS)


def say_met(notices: Notices) -> None:
    """Withdraw the warning that processes have missed one another, because they have met before the first epoch.

    Args:
        notices: Holds the warning.
    """
    if "ranks" in notices.by_key:
        notices.withdraw("ranks")
        logger.warning(_MET)


def say_not_agreed(company: Company, notices: Notices) -> None:
    """Warn before the first epoch that a launcher has started several processes, which are not agreed.

    Args:
        company: The processes.
        notices: Receives the warning.
    """
    place = company.place
    if place is not None:
        notices.say("launcher ranks", _NOT_AGREED, place.launcher, place.size, place.rank)


def _met(group: Group, notices: Notices, patience_seconds: float) -> Company:
    host = this_host()
    try:
        meeting = meet(group.store, group.rank, group.size, f"{host.id}", patience_seconds)
        if meeting.is_together:
            store = under(group.store, f"run {meeting.number}")
            ranks = StoreRanks(store, group.rank, group.size, _parting(notices, group.rank))
            return Company(ranks=ranks, origin=group.origin)
    except RuntimeError as failure:
        logger.warning("The processes of this run could not meet (%s). This process counts alone.", failure)
        return Company(ranks=OneRank(), origin=group.origin, is_lost=True)
    part = _part(meeting, group.rank, host.id)
    missing = group.size - len(meeting.came)
    what = ", and the processors and the memory of its machine"
    if part.number:
        what = ", and the processors to which it is bound" if is_bound_apart(place_in_job(os.environ)) else ""
    notices.say("ranks", _ALONE, missing, group.size, patience_seconds, what)
    return Company(ranks=OneRank(), part=part, origin=group.origin)


def _part(meeting: Meeting, rank: int, host: str) -> Part:
    """Return the part of a process. One that came too late follows those that came in time."""
    here = [other for other, name in meeting.came if name == host]
    number = here.index(rank) if rank in here else len(here)
    place = place_in_job(os.environ)
    sees_same = sees_every_gpu() or (place is not None and place.shares_environment)
    return Part(number, len(here) if rank in here else None, sees_same)


def _parting(notices: Notices, rank: int) -> Callable[[str], None]:
    return lambda reason: notices.say(reason, _PARTED_FROM_0 if rank else _PARTED, reason)

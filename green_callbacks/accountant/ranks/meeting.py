"""The meeting of the processes of a group, which shows whether all of them account for the same run."""

import json
from functools import partial
from typing import Final, NamedTuple

from green_callbacks.accountant.ranks.store import Store, settled, values_of, waited

MEETING_SECONDS: Final = 20.0
"""Longest time, in s, that the first meeting of a run waits for all ranks. They may load data of different size."""
SECOND_MEETING_SECONDS: Final = 10.0
"""Longest time, in s, that a later meeting waits. Before the first epoch, training itself has brought the ranks
together."""
_MEETINGS: Final = "meetings"
"""Key of the number of meetings that are over."""
_BUSY: Final = "another thread of this process waits for them"


class Meeting(NamedTuple):
    """The result of a meeting, the same for all ranks that came to it.

    Attributes:
        number: Its number, from 0.
        is_together: Whether all ranks came.
        came: The ranks that came, and their hosts, as far as the first of them to leave knew. Empty if all came.
    """

    number: int
    is_together: bool
    came: tuple[tuple[int, str], ...] = ()


def meet(store: Store, rank: int, size: int, host: str, patience_seconds: float) -> Meeting:
    """Wait until all ranks of a group have come, or until the first of them loses patience.

    Args:
        store: The store of the group.
        rank: Number of this process.
        size: Number of processes of the group.
        host: Its host.
        patience_seconds: Longest time to wait, in s.

    Raises:
        RuntimeError: The store does not answer.
    """
    number = _own_meeting(store, rank, patience_seconds)
    key = f"meeting {number}"
    store.set(f"{key}/{rank}", host)
    try:
        is_last = store.add(f"{key}/came", 1) >= size
        is_over = is_last or waited(lambda: store.check([key]), patience_seconds)
        came = [] if is_last or is_over else _arrivals(store, key, size)
        mine = json.dumps({"by": rank, "together": is_last, "came": came})
        said = bytes(store.get(key)).decode() if is_over and not is_last else settled(store, key, mine)
    except BaseException:
        store.add(f"{key}/came", -1)
        store.add(f"{key}/{rank} here", -1)
        raise
    if said == mine:
        store.add(_MEETINGS, 1)
    result = json.loads(said)
    return Meeting(number, result["together"], tuple((other, name) for other, name in result["came"]))


def _own_meeting(store: Store, rank: int, patience_seconds: float) -> int:
    """Return the number of a meeting to which this rank has not come yet, as another of its threads may have.

    Raises:
        RuntimeError: Another thread of this process waits at the present meeting for longer than the patience.
    """
    number = store.add(_MEETINGS, 0)
    while store.add(f"meeting {number}/{rank} here", 1) > 1:
        store.add(f"meeting {number}/{rank} here", -1)
        if not waited(partial(_is_over, store, number), patience_seconds):
            raise RuntimeError(_BUSY)
        number = store.add(_MEETINGS, 0)
    return number


def _is_over(store: Store, number: int) -> bool:
    return store.add(_MEETINGS, 0) > number


def _arrivals(store: Store, key: str, size: int) -> list[tuple[int, str]]:
    """Return the ranks that have come, with their hosts."""
    came = [rank for rank in range(size) if store.check([f"{key}/{rank}"])]
    return list(zip(came, values_of(store, [f"{key}/{rank}" for rank in came]), strict=True))

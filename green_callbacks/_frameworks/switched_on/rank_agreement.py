"""Asks all ranks of a trainer whether each of them has a monitor, without a collective that could hang."""

from itertools import count
from typing import Any, Final

from green_callbacks.accountant.ranks.store import Store, settled, waited
from green_callbacks.accountant.ranks.torch_group import group_of, under
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

FIRST_RANK_SECONDS: Final = 20.0
"""Time that rank 0 waits for the monitors of the other ranks, in s. Ranks reach this hook together, within seconds."""
OTHER_RANK_SECONDS: Final = 40.0
"""Time that other ranks wait for the answer of rank 0, in s. It is longer, so that rank 0 decides if it can."""
_REFUSAL: Final = -(10**6)
"""What a rank that cannot measure adds to the number of monitors, so that the sum stays below 0."""

_YES: Final = "yes"
_NO: Final = "no"
_ABSENT: Final = "absent"
_numbers = count()
_absent: list[bool] = []
"""Not empty once a rank was waited for in vain. Its variable will not come, so that nobody waits a second time."""


def all_ranks_agree(trainer: Any, *, is_so: bool) -> bool:
    """Return whether every rank has called this, and each of them with True.

    A variable may be set on one host alone. A collective among some ranks would wait for ever. So the ranks meet in the
    key-value store of ``torch.distributed``, and a rank that waited in vain decides for all.

    Args:
        trainer: The trainer, whose strategy has set up its environment.
        is_so: The answer of this rank.

    Returns:
        The answer of all ranks, the same on each of them. For a single process, and for processes without such a store,
        the answer of this one.
    """
    group = group_of() if trainer.world_size > 1 else None
    if group is None:
        return is_so
    store = under(group.store, f"switched on {next(_numbers)}")
    try:
        answer = agreed(store, group.rank, group.size, is_so=is_so) if not _absent else _ABSENT
    except RuntimeError as failure:  # of the store
        logger.warning("The ranks could not be asked for their monitors (%s).", failure)
        return False
    if answer == _ABSENT:
        _absent.append(True)
    return answer == _YES


def agreed(store: Store, rank: int, size: int, *, is_so: bool) -> str:
    """Return the answer of all ranks that ask, ``yes``, ``no`` or ``absent``.

    Args:
        store: A store in which no other keys lie.
        rank: Number of this process, from 0.
        size: Number of processes.
        is_so: The answer of this rank.
    """
    number = store.add("arrived", 1 if is_so else _REFUSAL)
    if rank == 0:
        waited(lambda: not 0 <= store.add("arrived", 0) < size, FIRST_RANK_SECONDS)
        number = store.add("arrived", 0)
        return settled(store, "answer", _NO if number < 0 else _YES if number == size else _ABSENT)
    if waited(lambda: store.check(["answer"]), OTHER_RANK_SECONDS):
        return bytes(store.get("answer")).decode()
    return settled(store, "answer", _ABSENT)

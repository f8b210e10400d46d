"""The process group of torch, found without an import."""

import sys
from typing import Any, NamedTuple

from green_callbacks.accountant.ranks.store import Store
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_STRANGE = (AttributeError, RuntimeError, ValueError, TypeError)
"""What private parts of another version of torch raise, or a group that is just being destroyed."""


class Group(NamedTuple):
    """A process group of several processes.

    Attributes:
        origin: The store of the group, by which two groups are told apart.
        store: Its store, under a prefix of our own, and with a connection of its own where the store has any.
        rank: Number of this process.
        size: Number of processes.
    """

    origin: Any
    store: Store
    rank: int
    size: int


def group_of(known: Any | None = None) -> Group | None:  # noqa: ANN401  a store of torch
    """Return the default process group of torch. None without one, or with one process.

    Args:
        known: The store of a group. If it is still the present one, None is returned. Defaults to none.
    """
    torch = sys.modules.get("torch.distributed.distributed_c10d")
    try:
        if torch is None or not torch.is_initialized() or torch.get_world_size() < 2:  # noqa: PLR2004
            return None
        origin = torch._get_default_store()  # noqa: SLF001  there is no public name
        if origin is None or origin is known:  # MPI has none
            return None
        return Group(origin, under(origin, "green_callbacks"), torch.get_rank(), torch.get_world_size())
    except _STRANGE as reason:
        logger.info("The process group of torch cannot be used: %s", reason)
        return None


def has_group() -> bool:
    """Return whether torch has a process group of several processes."""
    torch = sys.modules.get("torch.distributed.distributed_c10d")
    try:
        return torch is not None and bool(torch.is_initialized()) and torch.get_world_size() > 1
    except _STRANGE:
        return False


def is_first_of_group() -> bool:
    """Return whether this process is rank 0 of the process group of torch, or has no group."""
    try:
        return not has_group() or sys.modules["torch.distributed.distributed_c10d"].get_rank() == 0
    except _STRANGE:
        return True


def under(store: Any, prefix: str) -> Any:  # noqa: ANN401  a store of torch
    """Return a store that puts a prefix before each key.

    Args:
        store: A store of torch.
        prefix: The prefix.
    """
    return sys.modules["torch.distributed.distributed_c10d"].PrefixStore(prefix, _own_connection(store))


def _own_connection(store: Any) -> Any:  # noqa: ANN401  a store of torch
    """Return a store whose requests do not wait for requests of other threads, where torch has such stores."""
    try:
        return store.clone()
    except _STRANGE:  # before torch 2.6, and for stores without connections
        return store

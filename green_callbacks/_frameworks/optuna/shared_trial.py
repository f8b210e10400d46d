"""Trials that several ranks share, as ``TorchDistributedTrial`` of optuna-integration makes them."""

import sys
from typing import Any, TypeVar

Said = TypeVar("Said")


def is_shared(trial: Any) -> bool:
    """Return whether several ranks share a trial.

    Args:
        trial: The trial of this rank.
    """
    return hasattr(trial, "_delegate")


def own_trial(trial: Any) -> Any | None:
    """Return the trial that reaches the storage. None on a rank other than 0 of a shared trial.

    A shared trial would wait for all ranks in each call, but only rank 0 decides.

    Args:
        trial: The trial of this rank.
    """
    return trial._delegate if is_shared(trial) else trial  # noqa: SLF001  no public way


def told_to_all(trial: Any, said: Said | None) -> Said | None:
    """Return what rank 0 says, on every rank of a shared trial. Every rank calls this.

    Args:
        trial: The trial of this rank. For a trial that is not shared, the own word counts.
        said: What this rank says.
    """
    torch = sys.modules.get("torch")
    if not is_shared(trial) or torch is None or not torch.distributed.is_initialized():
        return said
    words = [said]
    torch.distributed.broadcast_object_list(words, src=0, group=getattr(trial, "_group", None))
    return words[0]

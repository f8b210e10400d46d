"""Tells how many samples a loader of torch draws, where the number is certain."""

from functools import partial
from typing import Any, Final, NamedTuple

from torch.utils.data import BatchSampler, DataLoader, IterableDataset

from green_callbacks.accountant.guarded_calls import Guarded

_KNOWN: Final = frozenset(
    {"torch", "torchdata", "lightning", "pytorch_lightning", "lightning_fabric", "accelerate", "transformers"}
)
"""Packages whose loaders and samplers draw exactly the batches that they state."""


class Draws(NamedTuple):
    """Describes how a loader draws samples.

    Attributes:
        size: Number of samples in a batch.
        length: Number of samples in a pass. None where all batches have the same size.
    """

    size: int
    length: int | None

    def after(self, batches: int) -> int:
        """Return the number of samples in the first batches of a pass."""
        drawn = batches * self.size
        return drawn if self.length is None else min(drawn, self.length)


def draws_of(loader: Any, *, is_resumed: bool = False) -> Draws | None:
    """Return how a loader draws samples. None if that is not certain.

    Args:
        loader: The loader of the training.
        is_resumed: Whether the loader may continue inside a pass. Defaults to False.

    Raises:
        Exception: A sampler of the user may raise anything.
    """
    if not isinstance(loader, DataLoader) or not is_known(type(loader).__iter__):
        return None
    if isinstance(loader.dataset, IterableDataset):  # each worker may end with a short batch
        return Draws(loader.batch_size, None) if loader.batch_size and loader.drop_last else None
    batches: Any = loader.batch_sampler
    if not isinstance(batches, BatchSampler) or not is_known(type(batches)):
        return None
    if getattr(batches, "even_batches", False):  # of accelerate, which fills the last batches of all ranks
        return None if getattr(batches, "split_batches", True) else Draws(batches.batch_size, None)
    return _by_sampler(batches, may_begin_short=is_resumed and hasattr(loader, "state_dict"))


def _by_sampler(batches: Any, *, may_begin_short: bool) -> Draws | None:
    if not is_known(type(batches.sampler)):
        return None
    length = len(batches.sampler)
    if batches.drop_last or length % batches.batch_size == 0:
        return Draws(batches.batch_size, None)
    return None if may_begin_short else Draws(batches.batch_size, length)  # any of its batches may be the short batch


def is_known(thing: Any) -> bool:
    """Return whether a class or a function comes from a package whose loaders draw what they state."""
    return str(thing.__module__).partition(".")[0] in _KNOWN


class EpochDraws:
    """Counts the samples of an epoch by its batches.

    Args:
        guarded: Calls the loaders of users.
    """

    def __init__(self, guarded: Guarded) -> None:
        self._guarded = guarded
        self._told = 0

    def begin(self) -> None:
        """Begin an epoch."""
        self._told = 0

    def take(self, loader: Any, batches: int, epoch_batches: int | None) -> int | None:
        """Return the number of samples since the last call in this epoch. None if that is not certain.

        Args:
            loader: The loader of the training, which begins a new pass when it has none left.
            batches: Number of batches of the epoch so far.
            epoch_batches: Number of batches of a whole epoch. None if unknown.
        """
        ask = partial(_samples_in, loader, batches, epoch_batches)
        total = self._guarded.ask("The sampler of the training loader", ask, None)
        if not total:
            return None
        since, self._told = total - self._told, total
        return since


def _samples_in(loader: Any, batches: int, epoch_batches: int | None) -> int | None:
    draws = draws_of(loader)
    is_one_pass = draws is not None and (draws.length is None or epoch_batches == len(loader))
    return draws.after(batches) if draws is not None and is_one_pass else None

"""How many samples an epoch of a Lightning trainer has seen, where that is certain."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import torch
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, default_collate

from green_callbacks.accountant.guarded_calls import Guarded

_KNOWN: Final = frozenset({"torch", "torchdata", "lightning", "pytorch_lightning", "lightning_fabric"})
"""Packages whose loaders and samplers draw as they say."""
_CHANGES: Final = ("on_before_batch_transfer", "on_after_batch_transfer")
"""Hooks of users in which a batch may become another one."""


class Draws(NamedTuple):
    """How a loader draws samples.

    Attributes:
        size: Samples of a batch.
        length: Samples of a pass; None where every batch has the same size.
    """

    size: int
    length: int | None

    def after(self, batches: int) -> int:
        """Return how many samples a number of batches has, from the beginning of a pass."""
        drawn = batches * self.size
        return drawn if self.length is None else min(drawn, self.length)


class EpochSamples:
    """Counts the samples that the batches of an epoch have.

    Where a loader of torch draws from a sampler of torch, the number of batches tells. Otherwise the first batch tells
    whether the first dimension of its tensors is the batch, and every batch is measured by one of them. Where that is
    not certain, the samples are not known.

    Args:
        guarded: Asks users' loaders and batches.
    """

    def __init__(self, guarded: Guarded) -> None:
        self._guarded = guarded
        self.batches = 0
        self._told = 0
        self._draws: Draws | None = None
        self._is_measured = False
        self._measure: Callable[[Any], int] | None = None
        self._measured: int | None = 0
        self._ask_first: Callable[[Any], Callable[[Any], int] | None] | None = None

    def begin(self, trainer: Any, *, is_resumed: bool) -> None:
        """Begin an epoch.

        Args:
            trainer: The trainer, whose loader is that of the epoch.
            is_resumed: Whether the epoch goes on where a checkpoint was saved.
        """
        self.batches, self._told = 0, 0
        self._measure, self._measured = None, 0
        loader = self._guarded.ask("The training loader", partial(_only_loader, trainer), None)
        ask = partial(draws_of, loader, is_resumed=is_resumed)
        self._draws = self._guarded.ask("The sampler of the training loader", ask, None)
        self._is_measured = loader is not None and self._draws is None
        self._ask_first = partial(measure_of, trainer=trainer, loader=loader) if self._is_measured else None

    def see(self, batch: Any) -> None:
        """Count a batch.

        Args:
            batch: The batch, as the module was given it.
        """
        self.batches += 1
        if self._is_measured:
            self._add(batch)

    def _add(self, batch: Any) -> None:
        if self._ask_first is not None:
            ask, self._ask_first = partial(self._ask_first, batch), None
            self._measure = self._guarded.ask("The size of a batch", ask, None)
        size = None
        if self._measure is not None:
            size = self._guarded.ask("The size of a batch", partial(self._measure, batch), None)
        if size is None or self._measured is None:
            self._is_measured, self._measured = False, None
        else:
            self._measured += size

    def take(self) -> int | None:
        """Return how many samples there were since the last call in this epoch; None if unknown."""
        total = self._measured if self._draws is None else self._draws.after(self.batches)
        if not total or not self.batches:
            return None
        since, self._told = total - self._told, total
        return since


def draws_of(loader: Any, *, is_resumed: bool = False) -> Draws | None:
    """Return how a loader draws samples; None where that is not certain.

    Args:
        loader: The loader of the training.
        is_resumed: Whether it may go on inside a pass.

    Raises:
        Exception: Whatever a sampler of the user's own raises.
    """
    if not isinstance(loader, DataLoader) or not _is_known(type(loader).__iter__):
        return None
    if isinstance(loader.dataset, IterableDataset):  # each worker may have a short batch of its own
        return Draws(loader.batch_size, None) if loader.batch_size and loader.drop_last else None
    batches = loader.batch_sampler
    if not isinstance(batches, BatchSampler) or not _is_known(type(batches)) or not _is_known(type(batches.sampler)):
        return None
    if batches.drop_last:
        return Draws(batches.batch_size, None)
    length = len(batches.sampler)  # type: ignore[arg-type]  # those of torch have one
    if length % batches.batch_size and is_resumed and hasattr(loader, "state_dict"):
        return None  # it is not known which of its batches is the short one
    return Draws(batches.batch_size, length)


def measure_of(batch: Any, trainer: Any, loader: Any) -> Callable[[Any], int] | None:
    """Return what measures the batches of a loader; None where it is not certain what a sample is.

    Args:
        batch: The first batch.
        trainer: The trainer.
        loader: The loader.

    Raises:
        Exception: Whatever a batch of the user's own raises.
    """
    if isinstance(getattr(batch, "num_graphs", None), int):  # of PyTorch Geometric, whose tensors are of nodes
        return _graphs
    members = dict(_tensors(batch))
    if not members or not all(tensor.ndim for tensor in members.values()):
        return None
    sizes = {tensor.shape[0] for tensor in members.values()}
    if len(sizes) != 1:
        return None
    is_torchs = isinstance(loader, DataLoader)
    limit = loader.batch_size if is_torchs else None
    is_stacked = is_torchs and loader.collate_fn is default_collate and not _is_changed_on_the_way(trainer)
    dimensions = {tensor.ndim for tensor in members.values()}
    is_labelled = limit is None and 1 in dimensions and len(dimensions) > 1  # a number for each of what has several
    if not (is_stacked or is_labelled or sizes == {limit}):
        return None
    return partial(_first_dimension, next(iter(members)), limit)


def _graphs(batch: Any) -> int:
    return int(batch.num_graphs)


def _first_dimension(path: tuple[Any, ...], limit: int | None, batch: Any) -> int:
    for key in path:
        batch = batch[key]
    size = int(batch.shape[0])
    if limit is not None and size > limit:
        msg = f"a batch of {size}, from a loader of batches of {limit}"
        raise ValueError(msg)
    return size


def _tensors(batch: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], torch.Tensor]]:
    """Go through the tensors of a batch, each with the keys that lead to it."""
    if isinstance(batch, torch.Tensor):
        yield path, batch
        return
    parts = batch.items() if isinstance(batch, Mapping) else enumerate(batch) if isinstance(batch, list | tuple) else ()
    for key, part in parts:
        yield from _tensors(part, (*path, key))


def _only_loader(trainer: Any) -> Any | None:
    """Return the loader of a training; None where several are combined, or the module draws from it itself."""
    loader = trainer.train_dataloader
    while isinstance(loader, Mapping | list | tuple) and len(loader) == 1:
        loader = next(iter(loader.values() if isinstance(loader, Mapping) else loader))
    step = inspect.signature(type(trainer.lightning_module).training_step)
    return None if isinstance(loader, Mapping | list | tuple) or "dataloader_iter" in step.parameters else loader


def _is_changed_on_the_way(trainer: Any) -> bool:
    owners = [type(owner) for owner in (trainer.lightning_module, trainer.datamodule) if owner is not None]
    return not all(_is_known(getattr(owner, name)) for owner in owners for name in _CHANGES)


def _is_known(thing: Any) -> bool:
    return str(thing.__module__).partition(".")[0] in _KNOWN

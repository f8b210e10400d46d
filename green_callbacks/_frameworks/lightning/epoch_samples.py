"""Counts the samples of an epoch of a Lightning trainer, where the number is certain, and looks at its loader."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import torch
from torch.utils.data import DataLoader, default_collate

from green_callbacks._frameworks.torch.loader_draws import Draws, draws_of, is_known
from green_callbacks._frameworks.torch.loader_watch import LoaderWatch
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.loops.data_waits import DataWaits

_CHANGES: Final = ("on_before_batch_transfer", "on_after_batch_transfer")
"""Hooks in which a user may change a batch."""


class EpochSamples:
    """Counts the samples in the batches of an epoch.

    If a loader of torch draws from a sampler of torch, the number of batches gives the number of samples. Otherwise the
    first batch shows whether the first dimension of its tensors is the batch. Then one tensor of each batch gives its
    size. If neither is certain, the number of samples is unknown.

    Beside a ``ThroughputMonitor`` of Lightning, it counts floating-point operations, too. The module states them as
    ``flops_per_batch``, for this process.

    Args:
        guarded: Calls the loaders of users, and reads their batches.
    """

    def __init__(self, guarded: Guarded) -> None:
        self._guarded = guarded
        self._watch = LoaderWatch()
        self.batches = 0
        self._told = 0
        self._module: Any = None
        self._flops = 0.0
        self._draws: Draws | None = None
        self._is_measured = False
        self._measure: Callable[[Any], int] | None = None
        self._measured: int | None = 0
        self._ask_first: Callable[[Any], Callable[[Any], int] | None] | None = None

    def begin(self, trainer: Any, waits: DataWaits, *, is_resumed: bool) -> None:
        """Begin an epoch.

        Args:
            trainer: The trainer. Its loader is the loader of the epoch.
            waits: Takes note of the waits for the loader.
            is_resumed: Whether the epoch continues from a checkpoint.
        """
        self._watch.begin_epoch(trainer, waits)
        self.batches, self._told, self._flops = 0, 0, 0.0
        self._module = trainer.lightning_module if _counts_flops(trainer) else None
        self._measure, self._measured = None, 0
        loader = self._guarded.ask("The training loader", partial(_only_loader, trainer), None)
        ask = partial(draws_of, loader, is_resumed=is_resumed)
        self._draws = self._guarded.ask("The sampler of the training loader", ask, None)
        self._is_measured = loader is not None and self._draws is None
        self._ask_first = partial(measure_of, trainer=trainer, loader=loader) if self._is_measured else None

    def end(self) -> None:
        """End the fit."""
        self._watch.end()

    def see(self, batch: Any) -> None:
        """Count a batch.

        Args:
            batch: The batch, as the module received it.
        """
        self.batches += 1
        if self._module is not None:
            each = self._guarded.ask("flops_per_batch", partial(getattr, self._module, "flops_per_batch", None), None)
            self._flops += self._guarded.numbers({"flops_per_batch": each}).get("flops_per_batch", 0.0)
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
        """Return the number of samples since the last call in this epoch. None if unknown."""
        total = self._measured if self._draws is None else self._draws.after(self.batches)
        if not total or not self.batches:
            return None
        since, self._told = total - self._told, total
        return since

    def take_flops(self) -> float | None:
        """Return the floating-point operations since the last call in this epoch. None if unknown."""
        since, self._flops = self._flops, 0.0
        return since or None


def _counts_flops(trainer: Any) -> bool:
    return any(kind.__name__ == "ThroughputMonitor" for each in trainer.callbacks for kind in type(each).__mro__)


def measure_of(batch: Any, trainer: Any, loader: Any) -> Callable[[Any], int] | None:
    """Return a function that counts the samples in a batch. None if it is not certain which dimension holds them.

    Args:
        batch: The first batch.
        trainer: The trainer.
        loader: The loader.

    Raises:
        Exception: A batch of the user may raise anything.
    """
    if isinstance(getattr(batch, "num_graphs", None), int):  # PyTorch Geometric, whose tensors count nodes
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
    is_labeled = limit is None and 1 in dimensions and len(dimensions) > 1  # labels beside inputs
    if not (is_stacked or is_labeled or sizes == {limit}):
        return None
    return partial(_first_dimension, next(iter(members)), limit)


def _graphs(batch: Any) -> int:
    return int(batch.num_graphs)


def _first_dimension(path: tuple[Any, ...], limit: int | None, batch: Any) -> int:
    for key in path:
        batch = batch[key]
    size = int(batch.shape[0])
    if limit is not None and size > limit:
        msg = f"a batch of {size} samples, from a loader of batches of {limit}"
        raise ValueError(msg)
    return size


def _tensors(batch: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], torch.Tensor]]:
    """Yield the tensors of a batch, each with the keys that lead to it."""
    if isinstance(batch, torch.Tensor):
        yield path, batch
        return
    parts = batch.items() if isinstance(batch, Mapping) else enumerate(batch) if isinstance(batch, list | tuple) else ()
    for key, part in parts:
        yield from _tensors(part, (*path, key))


def _only_loader(trainer: Any) -> Any | None:
    """Return the loader of a training. None if several are combined, or if the module draws from it itself."""
    loader = trainer.train_dataloader
    while isinstance(loader, Mapping | list | tuple) and len(loader) == 1:
        loader = next(iter(loader.values() if isinstance(loader, Mapping) else loader))
    step = inspect.signature(type(trainer.lightning_module).training_step)
    return None if isinstance(loader, Mapping | list | tuple) or "dataloader_iter" in step.parameters else loader


def _is_changed_on_the_way(trainer: Any) -> bool:
    owners = [type(owner) for owner in (trainer.lightning_module, trainer.datamodule) if owner is not None]
    return not all(is_known(getattr(owner, name)) for owner in owners for name in _CHANGES)

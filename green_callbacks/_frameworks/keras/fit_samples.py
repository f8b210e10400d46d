"""Finds the number of samples in an epoch of ``fit``, where the data makes it certain."""

from dataclasses import dataclass, replace
from typing import Any, Final, Self

import keras

_MOST_LAYERS: Final = 50
"""Largest number of transformations of a tf.data pipeline that are searched for its batch size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Sizes of the data of a fit. Holds numbers only, so it keeps no data alive.

    Attributes:
        samples: Number of samples in a complete epoch. None if unknown.
        batch: Number of samples in each batch of a pass except the last. None if unknown.
        last_batch: Number of samples in the last batch of a pass. None if unknown.
    """

    samples: int | None = None
    batch: int | None = None
    last_batch: int | None = None

    @classmethod
    def read(cls, iterator: Any) -> Self:
        """Read the sizes of the data from the iterator of a fit.

        Keras batches arrays itself, and a loader of torch has a sampler. The batch size of a ``tf.data`` pipeline is
        its static shape or the argument of its ``batch()``, which a later transformation may change. The sizes of a
        generator or a ``PyDataset`` are unknown in advance, because a batch may be anything, for example a graph.

        Args:
            iterator: ``EpochIterator`` of Keras. None if there is none.

        Raises:
            Exception: Data of another kind may raise anything.
        """
        adapter: Any = getattr(iterator, "data_adapter", None)
        kind = type(adapter).__name__
        if kind == "ArrayDataAdapter":
            rest = adapter.partial_batch_size or adapter.batch_size
            data = cls._of(adapter.batch_size * (adapter.num_batches - 1) + rest, adapter.batch_size)
        elif kind == "TorchDataLoaderAdapter":
            data = cls._of_loader(adapter._dataloader)  # noqa: SLF001  there is no other way to it
        elif kind == "TFDatasetAdapter":
            data = cls._of_pipeline(adapter._dataset, iterator.num_batches)  # noqa: SLF001  there is no other way to it
        else:
            return cls()
        # A given number of steps may end inside a pass through the data, or continue into the next pass.
        return replace(data, samples=None) if iterator.steps_per_epoch else data

    @classmethod
    def _of(cls, samples: int, batch: int) -> Self:
        return cls(samples=samples, batch=batch, last_batch=samples % batch or batch)

    @classmethod
    def _of_loader(cls, loader: Any) -> Self:
        batch = loader.batch_size  # None if a batch sampler of the user makes the batches
        if batch is None or not hasattr(loader.dataset, "__len__") or not hasattr(loader.sampler, "__len__"):
            return cls()
        samples = len(loader.sampler)
        return cls._of(samples // batch * batch if loader.drop_last else samples, batch)

    @classmethod
    def _of_pipeline(cls, dataset: Any, batches: int | None) -> Self:
        sizes = {spec.shape[0] if spec.shape.rank else None for spec in keras.tree.flatten(dataset.element_spec)}
        batch = sizes.pop() if len(sizes) == 1 else None
        if batch is not None:
            return cls(samples=batch * batches if batches else None, batch=batch, last_batch=batch)
        for _ in range(_MOST_LAYERS):
            if hasattr(dataset, "_batch_size"):
                return cls(batch=int(dataset._batch_size))  # noqa: SLF001  there is no other way to ask
            dataset = getattr(dataset, "_input_dataset", None)
        return cls()

    def seen(self, batches: int | None, counted: float | None, *, is_whole: bool, is_disturbed: bool) -> int | None:
        """Return the number of samples in an epoch.

        Args:
            batches: Number of its batches. None if unknown.
            counted: Number of samples in the mean of the loss. It counts the first dimension of the input, whatever
                that dimension means, and others may have reset it. So it must match the batches.
            is_whole: Whether the epoch is complete.
            is_disturbed: Whether others may have reset the count.

        Returns:
            The number. None if it is not certain.
        """
        if is_whole and self.samples is not None:
            return self.samples
        if batches is None or counted is None or not self.batch:
            return None
        full = batches * self.batch
        if counted == full or (self.last_batch is not None and counted == full - self.batch + self.last_batch):
            return int(counted)
        is_between = self.last_batch is None and full - self.batch < counted < full
        return int(counted) if is_between and not is_disturbed else None

"""How many samples an epoch of ``fit`` takes, where its data says so for certain."""

from dataclasses import dataclass, replace
from typing import Any, Final, Self

import keras

_MOST_LAYERS: Final = 50
"""Transformations of a tf.data pipeline that are looked through for its batches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What is known of the data of a fit; holds numbers only, and so nothing of the data alive.

    Attributes:
        samples: Samples of an epoch that runs to its end; None if unknown.
        batch: Samples of every batch but the last one of a pass through the data; None if unknown.
        last_batch: Samples of the last one; None if unknown.
    """

    samples: int | None = None
    batch: int | None = None
    last_batch: int | None = None

    @classmethod
    def read(cls, iterator: Any) -> Self:
        """Read what the iterator of a fit tells of its data.

        Arrays are batched by Keras itself, and a loader of torch by its sampler. The batches of a ``tf.data`` pipeline
        have a size where it is static, or where a ``batch()`` of it tells; what follows that may change it. What a
        generator or a ``PyDataset`` hands out is not known before it does: it may be a graph for each batch.

        Args:
            iterator: ``EpochIterator`` of Keras; None if there is none.

        Raises:
            Exception: Whatever data of another kind raises.
        """
        adapter: Any = getattr(iterator, "data_adapter", None)
        kind = type(adapter).__name__
        if kind == "ArrayDataAdapter":
            rest = adapter.partial_batch_size or adapter.batch_size
            data = cls._of(adapter.batch_size * (adapter.num_batches - 1) + rest, adapter.batch_size)
        elif kind == "TorchDataLoaderAdapter":
            data = cls._of_loader(adapter._dataloader)  # noqa: SLF001  there is no other way to it
        elif kind == "TFDatasetAdapter":
            data = cls._of_pipeline(adapter._dataset, iterator.num_batches)  # noqa: SLF001  likewise
        else:
            return cls()
        # A given number of steps may end within a pass through the data, or go on into the next.
        return replace(data, samples=None) if iterator.steps_per_epoch else data

    @classmethod
    def _of(cls, samples: int, batch: int) -> Self:
        return cls(samples=samples, batch=batch, last_batch=samples % batch or batch)

    @classmethod
    def _of_loader(cls, loader: Any) -> Self:
        batch = loader.batch_size  # None where a batch sampler of the user's own makes the batches
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
        """Return how many samples an epoch has seen.

        Args:
            batches: How many batches it has seen; None if unknown.
            counted: Samples that the mean of the loss is over. It counts the first dimension of the input whatever
                that is, and others may have reset it meanwhile: it must fit the batches.
            is_whole: Whether the epoch ran to its end.
            is_disturbed: Whether others may have reset what was counted.

        Returns:
            The number; None where it is not certain.
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

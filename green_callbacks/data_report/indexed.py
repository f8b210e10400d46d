"""A data set that returns the position of each sample with the sample."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.units import described

INDEX: Final = "index"
"""Key of the position in samples that are mappings, and in what a training step returns."""


class Indexed:
    """A map-style data set that returns the position of each sample with the sample.

    A tuple or list gets the position as its last element. A mapping gets it under the key ``index``. Any other sample
    becomes a pair of the sample and its position. Wrap the whole training set once, after ``Subset``, ``random_split``
    or ``ConcatDataset``. Two wrapped parts of one data set would use the same positions for different samples.

    Args:
        dataset: A data set with ``__getitem__`` and ``__len__``.

    Raises:
        ConfigurationError: The data set has no positions, like an ``IterableDataset``.

    Example:
        >>> from green_callbacks.data_report import Indexed
        >>> data = Indexed([(0.5, "cat"), (0.7, "dog")])
        >>> data[1], len(data)
        ((0.7, 'dog', 1), 2)
    """

    def __init__(self, dataset: Any) -> None:
        if any(base.__name__ == "IterableDataset" for base in type(dataset).__mro__) or not (
            hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
        ):
            msg = (
                f"Indexed(…) needs a data set with positions, and a {type(dataset).__name__} has none. "
                "Number the samples where they are made, and put the number into each sample."
            )
            raise ConfigurationError(msg)
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        if not hasattr(index, "__index__") or getattr(index, "ndim", False):  # an array of one element has __index__
            msg = (
                f"Indexed(…) takes one position at a time, not {described(index)}. "
                "Let the DataLoader make the batches, with batch_size= or batch_sampler=."
            )
            raise ConfigurationError(msg)
        return with_index(self.dataset[index], index if index >= 0 else len(self.dataset) + index)

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Return several samples, in one call of the data set where it can."""
        several = getattr(self.dataset, "__getitems__", None)
        samples = several(indices) if callable(several) else [self.dataset[index] for index in indices]
        return [with_index(sample, index) for sample, index in zip(samples, indices, strict=True)]


def with_index(sample: Any, index: int) -> Any:
    """Return a sample with its position.

    Args:
        sample: The sample.
        index: Its position.

    Raises:
        ConfigurationError: The sample is a mapping that has an ``index`` already.

    Example:
        >>> with_index({"text": "hello"}, 3)
        {'text': 'hello', 'index': 3}
    """
    if isinstance(sample, Mapping):
        if INDEX in sample:
            msg = "The samples have an index already. Leave Indexed(…) out, or give that field another name."
            raise ConfigurationError(msg)
        return {**sample, INDEX: index}
    if isinstance(sample, tuple | list) and not hasattr(sample, "_fields"):
        return (*sample, index)
    return (sample, index)


def parts_of(dataset: Any) -> list[Indexed]:
    """Return the wrapped parts of a data set, through subsets and concatenations.

    Args:
        dataset: The data set of a loader.

    Example:
        >>> len(parts_of(Indexed([1, 2])))
        1
    """
    found: list[Indexed] = []
    within, seen = [dataset], set[int]()
    while within:
        each = within.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, Indexed):
            found.append(each)
            continue
        inner = getattr(each, "datasets", None)
        within.extend(inner if isinstance(inner, list | tuple) else [])
        within.append(getattr(each, "dataset", None))
    return found

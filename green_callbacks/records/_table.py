"""Rows of labelled numbers: what belongs to one row lies side by side."""

from array import array
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from math import nan
from typing import Any, Generic, TypeVar

from green_callbacks.records._columns import Packed, Shared, pack, pack_numbers, unpack, unpack_numbers

Label = TypeVar("Label", bound=Hashable)


class Table(Generic[Label]):
    """Rows of numbers, as many for each label; the labels are kept once for all rows in which they are the same.

    Args:
        columns: What the numbers of a label are called in a checkpoint; ``NaN`` stands for None.
    """

    def __init__(self, *columns: str) -> None:
        self._columns = columns
        self._labels: Shared[tuple[Label, ...]] = Shared()
        self._begins = array("q")
        self._numbers = array("d")

    def __len__(self) -> int:
        return len(self._begins)

    def append(self, labels: Iterable[Label], numbers: Sequence[float]) -> None:
        self._labels.append(tuple(labels))
        self._begins.append(len(self._numbers))
        self._numbers.extend(numbers)

    def row(self, row: int) -> Iterator[tuple[Label, Sequence[float]]]:
        """Return the labels of a row, each with its numbers."""
        at, width = self._begins[row], len(self._columns)
        for place, label in enumerate(self._labels.get(row)):
            yield label, self._numbers[at + place * width : at + (place + 1) * width]

    @property
    def labels(self) -> list[Label]:
        """Every label that some row has, in the order of the first."""
        return list(dict.fromkeys(label for labels in self._labels.distinct for label in labels))

    def numbers(self, wanted: Collection[Label], column: int) -> list[float]:
        """Return the numbers of one column, in all rows, of all that have one of some labels."""
        return [
            self._numbers[at + column]
            for index, labels in enumerate(self._labels.distinct)
            for place, label in enumerate(labels)
            if label in wanted
            for at in self._begins_of(index, place)
        ]

    def _begins_of(self, index: int, place: int) -> list[int]:
        """Return where the numbers begin of the label at a place, in the rows with one set of labels."""
        rows, offset = zip(self._begins, self._labels.index, strict=True), place * len(self._columns)
        return [begin + offset for begin, other in rows if other == index]

    def pack(self) -> dict[str, Packed]:
        distinct = self._labels.distinct
        return {
            "labels": _plain(distinct),
            "label": pack(self._labels.index),
            "numbers": [
                [self._packed(at, place) for place in range(len(labels))] for at, labels in enumerate(distinct)
            ],
        }

    def _packed(self, index: int, place: int) -> dict[str, Packed]:
        begins = self._begins_of(index, place)
        columns = {name: [self._numbers[at + offset] for at in begins] for offset, name in enumerate(self._columns)}
        first = columns[self._columns[0]]
        return {name: pack_numbers(column) for name, column in columns.items() if column is first or column != first}

    def fill(self, packed: Mapping[str, Packed]) -> None:
        """Read what :meth:`pack` wrote."""
        distinct, length = [tuple(map(_frozen, labels)) for labels in packed["labels"]], 0
        for index in unpack(packed["label"]):
            self._labels.append(distinct[index])
            self._begins.append(length)
            length += len(self._columns) * len(distinct[index])
        self._numbers = array("d", [nan]) * length
        for index, columns in enumerate(packed["numbers"]):
            for place, column in enumerate(columns):
                self._fill_column(self._begins_of(index, place), column)

    def _fill_column(self, begins: Sequence[int], column: Mapping[str, Packed]) -> None:
        first = column[self._columns[0]]
        for offset, name in enumerate(self._columns):
            for at, number in zip(begins, unpack_numbers(column.get(name, first)), strict=True):
                self._numbers[at + offset] = number


def _plain(label: Any) -> Any:  # noqa: ANN401  any plain JSON value
    """Return a label as JSON would have it."""
    return list(map(_plain, label)) if isinstance(label, list | tuple) else label


def _frozen(label: Any) -> Any:  # noqa: ANN401  likewise
    """Return a label as it was before JSON made lists of its tuples."""
    return tuple(map(_frozen, label)) if isinstance(label, list | tuple) else label

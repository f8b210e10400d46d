"""What training has shown of each sample so far, in eight bytes a sample."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

KNOWN_FOR: Final = 3
"""Visits in a row at which a sample was known, after which a further visit counts as a visit to a known sample. By
experiment on digits, letter, mnist and mnist1d, fewer such samples are forgotten again than of samples known once.
"""
AT_ONCE: Final = 2
"""Number of the visit at which a sample that is known at once is known at the latest. The very first visits meet a
network that has learned nothing yet, so the first visit alone would tell the order of the batches.
"""
LARGEST_INDEX: Final = 2**28
"""Largest index that is accepted. The columns of as many samples take 2.1 GB."""
_GROWTH: Final = 1.25
"""Factor by which columns grow, if the number of samples is unknown. It keeps them within ten bytes a sample."""

_FIRST_BITS: Final = 2
"""Bits of the column ``past`` that hold the visit at which a sample was first known. The others count forgetting."""
_LATER: Final = 3
"""Number that stands for any later visit than the second, in these bits."""
_MOST_VISITS: Final = np.iinfo(np.uint16).max
"""Largest number of visits of a sample, which two bytes hold. Further visits change no mean."""
_LONGEST_STREAK: Final = np.iinfo(np.uint8).max
"""Longest streak of visits at which a sample was known, which one byte holds."""
_MOST_FORGETS: Final = 63
"""Largest number of times that a sample was forgotten, which six bits hold."""

COLUMNS: Final = {"visits": "u2", "streak": "u1", "past": "u1", "loss_sum": "f4"}
"""Type of each column."""
_PLACE_BITS: Final = 32
"""Bits of a number that hold the place of a visit. Its index takes 28 bits."""
_LAST_PLACE: Final = (1 << _PLACE_BITS) - 1
"""Largest place of a visit."""

_Integers = NDArray[np.int64]
_Mask = NDArray[np.bool_]


class Counted(NamedTuple):
    """How many visits were counted.

    Attributes:
        visits: Visits with a loss.
        known: Visits among them to samples that were known for the three visits before.
        without_loss: Visits whose loss was no finite number. They are not among the visits.
        out_of_range: Visits whose index is negative or too large. They are not among the visits.
    """

    visits: int = 0
    known: int = 0
    without_loss: int = 0
    out_of_range: int = 0


class SampleTable:
    """Visits, losses and forgetting of each sample, by its index.

    Attributes:
        size: Number of rows, which is the largest index so far plus one.

    Example:
        >>> table = SampleTable()
        >>> table.add(np.array([0, 1]), np.array([0.1, 2.0], "f4"), np.array([True, False])).visits
        2
        >>> table.mean_loss()
        array([0.1, 2. ], dtype=float32)
    """

    visits: NDArray[np.uint16]
    streak: NDArray[np.uint8]
    past: NDArray[np.uint8]
    loss_sum: NDArray[np.float32]

    def __init__(self) -> None:
        self.size = 0
        for name, kind in COLUMNS.items():
            setattr(self, name, np.zeros(0, kind))

    @property
    def nbytes(self) -> int:
        """Memory of all columns, in bytes."""
        return sum(getattr(self, name).nbytes for name in COLUMNS)

    def reserve(self, size: int) -> None:
        """Make room for a known number of samples, so that no column grows later.

        Args:
            size: The number. A number above the largest index is cut.
        """
        self._resize(max(min(size, LARGEST_INDEX), len(self.visits)))

    def add(self, indices: _Integers, losses: NDArray[np.float32], known: _Mask) -> Counted:
        """Count visits, in their order.

        Args:
            indices: Index of the sample of each visit.
            losses: Its loss.
            known: Whether the sample was known.

        Returns:
            The number of counted visits, and of visits that could not be counted.
        """
        inside = (indices >= 0) & (indices < LARGEST_INDEX)
        fine = inside & np.isfinite(losses)
        if not fine.all():
            indices, losses, known = indices[fine], losses[fine], known[fine]
        if len(indices):
            self._hold(int(indices.max()) + 1)
        seen_before = sum(self._add_once(indices[part], losses[part], known[part]) for part in _rounds(indices))
        outside = int((~inside).sum())
        return Counted(len(indices), seen_before, len(fine) - len(indices) - outside, outside)

    def _add_once(self, at: _Integers, losses: NDArray[np.float32], known: _Mask) -> int:
        """Count visits to samples that differ. Return how many of these were known for the three visits before."""
        visits, streak, past = self.visits[at], self.streak[at], self.past[at]
        number = np.minimum(visits, _MOST_VISITS - 1) + np.uint16(1)
        if visits.max() == _MOST_VISITS:  # the mean stays as it is
            losses = np.where(visits < _MOST_VISITS, losses, np.float32(0))
        self.visits[at] = number
        self.loss_sum[at] += losses
        forgets, first = past >> _FIRST_BITS, past & _LATER
        forgets += (streak > 0) & ~known & (forgets < _MOST_FORGETS)
        np.copyto(first, np.minimum(number, _LATER), where=known & (first == 0), casting="unsafe")
        self.past[at] = (forgets << _FIRST_BITS) | first
        self.streak[at] = (np.minimum(streak, _LONGEST_STREAK - 1) + np.uint8(1)) * known
        return int((streak >= KNOWN_FOR).sum())

    def mean_loss(self) -> NDArray[np.float32]:
        """Return the mean loss of each sample. A sample without a visit has NaN."""
        visits = self.visits[: self.size]
        with np.errstate(invalid="ignore"):
            means: NDArray[np.float32] = np.divide(self.loss_sum[: self.size], visits, dtype=np.float32)
        return means

    def forgets(self) -> NDArray[np.uint8]:
        """Return how often each sample was forgotten, up to 63 times."""
        return np.right_shift(self.past[: self.size], np.uint8(_FIRST_BITS))

    def first_known(self) -> NDArray[np.uint8]:
        """Return the visit at which each sample was first known, where 3 is any later visit, and 0 is none."""
        return np.bitwise_and(self.past[: self.size], np.uint8(_LATER))

    def column(self, name: str) -> NDArray[Any]:
        """Return a column, up to the largest index.

        Args:
            name: Its name, as in :data:`COLUMNS`.
        """
        values: NDArray[Any] = getattr(self, name)[: self.size]
        return values

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return all columns up to the largest index, without copies."""
        return {name: self.column(name) for name in COLUMNS}

    def load(self, columns: dict[str, NDArray[Any]]) -> None:
        """Replace all columns.

        Args:
            columns: Columns of one length, by name.
        """
        self.size = len(columns["visits"])
        for name, kind in COLUMNS.items():
            setattr(self, name, np.array(columns[name], kind))

    def _hold(self, size: int) -> None:
        if size > len(self.visits):
            self._resize(max(size, int(len(self.visits) * _GROWTH)))
        self.size = max(self.size, size)

    def _resize(self, rows: int) -> None:
        for name, kind in COLUMNS.items():
            column = np.zeros(rows, kind)
            column[: self.size] = getattr(self, name)[: self.size]
            setattr(self, name, column)


def _rounds(indices: _Integers) -> list[Any]:
    """Return groups of visits, each of which meets a sample at most once. Their order is the order of the visits."""
    # Sorting plain numbers, index and place in one, is several times as fast as sorting places by their index.
    ordered = np.sort((indices << _PLACE_BITS) | np.arange(len(indices)))
    ordered, order = ordered >> _PLACE_BITS, ordered & _LAST_PLACE
    if not (ordered[1:] == ordered[:-1]).any():
        return [slice(None)] if len(indices) else []
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, len(ordered)])
    occurrence = np.empty(len(indices), np.int64)
    occurrence[order] = np.arange(len(ordered)) - np.repeat(starts, lengths)
    return [np.flatnonzero(occurrence == number) for number in range(int(occurrence.max()) + 1)]

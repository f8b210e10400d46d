"""Everything that is counted of the visits to samples, on one rank or on all."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.ranks.protocol import Ranks
from green_callbacks.data_report.mislabeled import CHANCE_VISITS
from green_callbacks.data_report.pending_visits import PendingVisits, Visits
from green_callbacks.data_report.sample_table import COLUMNS, SampleTable
from green_callbacks.errors import ConfigurationError

_KNOWN: Final = 1 << 31
"""Bit of a packed index that tells whether the sample was known. Indices take 28 bits."""
_PACKED: Final = np.dtype([("index", "<u4"), ("loss", "<f4")])
_PIECE: Final = 1 << 16
"""Visits that one rank sends at once, a count. They take half a megabyte."""
_OUTSIDE: Final = _KNOWN - 1
"""A packed index that stands for an index out of range."""
_VERSION: Final = 1
"""Version of the state, a count."""

COUNTS: Final = ("visits", "known_visits", "without_loss", "out_of_range", "by_answer", "by_loss", "negative")
"""Names of the counters."""


class VisitBook:
    """The table of the samples, the visits that are not in it yet, and counts of all visits.

    Args:
        known_below: Loss below which a sample is known, if training does not say. None if no loss can tell.
        refuse: Called with a sentence if the values of a step do not fit together.

    Attributes:
        table: What training has shown of each sample.
        counts: Counts of visits, by the names in :data:`COUNTS`.
        is_shared: Whether several ranks fill the table, which only :meth:`gather` does then.
    """

    def __init__(self, known_below: float | None, refuse: Callable[[str], object]) -> None:
        self.table = SampleTable()
        self.counts = dict.fromkeys(COUNTS, 0)
        self.is_shared = False
        self._first = 0, 0.0
        self._known_below = known_below
        self._guarded = Guarded()
        self._pending = PendingVisits(refuse)
        self._unsent: list[NDArray[Any]] = []

    @property
    def chance(self) -> float:
        """Mean loss of the first visits, before the network has learned. 0 without a visit."""
        visits, losses = self._first
        return losses / visits if visits else 0.0

    @property
    def has_unsent(self) -> bool:
        """Whether visits of this rank wait for :meth:`gather`."""
        return bool(self._unsent)

    def put(self, index: Any, losses: Any, correct: Any = None) -> None:
        """Note the visits of a step.

        Args:
            index: Index of each sample.
            losses: Loss of each sample.
            correct: Whether each sample was classified correctly. Defaults to None, if unknown.
        """
        if self._pending.put(index, losses, correct):
            self._guarded.tell("Reading the losses of the samples", partial(self.move, wait=False))

    def copy_nothing(self) -> None:
        """Keep values without copies, because each batch has an index and losses of its own."""
        self._pending.copies_values = False

    def move(self, *, wait: bool = True) -> None:
        """Move visits into the table.

        Args:
            wait: Whether to wait for copies from an accelerator. Defaults to True.
        """
        for visits in self._pending.take(wait=wait):
            known = self._known(visits)
            if self.is_shared:
                self._unsent.append(_packed(visits, known))
            else:
                self._count(visits.indices, visits.losses, known)

    def gather(self, ranks: Ranks) -> None:
        """Bring the visits of all ranks to rank 0. All ranks call this at the same point.

        Args:
            ranks: The processes.
        """
        self.move()
        own = np.concatenate(self._unsent) if self._unsent else np.zeros(0, _PACKED)
        self._unsent = []
        rounds = max(ranks.gather(-(-len(own) // _PIECE)))
        for piece in range(rounds):
            part = own[piece * _PIECE : (piece + 1) * _PIECE]
            for sent in ranks.gather(b64encode(part.tobytes()).decode()):
                if ranks.rank == 0:
                    self._unpack(np.frombuffer(b64decode(sent), _PACKED))

    def take(self, *names: str) -> tuple[int, ...]:
        """Return counters.

        Args:
            *names: Their names.
        """
        return tuple(self.counts[name] for name in names)

    def state(self, *, copy: bool) -> dict[str, Any]:
        """Return the state, with columns of bytes.

        Args:
            copy: Whether later visits leave the returned columns as they are. Without copies, they save memory.
        """
        columns = {name: column.view(np.uint8) for name, column in self.table.columns().items()}
        return {
            "version": _VERSION,
            "counts": dict(self.counts),
            "first": list(self._first),
            "columns": {name: column.copy() if copy else column for name, column in columns.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a state.

        Args:
            state: What :meth:`state` returned. Its columns may be tensors.

        Raises:
            ConfigurationError: The state is of another version, or damaged.
        """
        try:
            columns = {name: np.asarray(state["columns"][name], np.uint8).view(kind) for name, kind in COLUMNS.items()}
            counts = {name: int(state["counts"][name]) for name in COUNTS}
            visits, losses = state["first"]
            first = int(visits), float(losses)
            is_whole = state["version"] == _VERSION and len({len(column) for column in columns.values()}) == 1
        except (KeyError, TypeError, ValueError) as error:
            msg = f"The state of the report on the data cannot be read ({error!r}). Resume without it."
            raise ConfigurationError(msg) from error
        if not is_whole:
            msg = "The state of the report on the data is of another version, or damaged. Resume without it."
            raise ConfigurationError(msg)
        self.table.load(columns)
        self.counts, self._first = counts, first

    def _known(self, visits: Visits) -> NDArray[np.bool_]:
        if visits.correct is not None:
            self.counts["by_answer"] += len(visits.indices)
            return visits.correct
        if self._known_below is None:
            return np.zeros(len(visits.indices), np.bool_)
        self.counts["by_loss"] += len(visits.indices)
        return visits.losses < self._known_below

    def _count(self, indices: NDArray[np.int64], losses: NDArray[np.float32], known: NDArray[np.bool_]) -> None:
        if self._first[0] < CHANCE_VISITS:
            finite = losses[np.isfinite(losses)][: CHANCE_VISITS - self._first[0]]
            self._first = self._first[0] + len(finite), self._first[1] + float(finite.sum())
        counted = self.table.add(indices, losses, known)
        self.counts["visits"] += counted.visits
        self.counts["known_visits"] += counted.known
        self.counts["without_loss"] += counted.without_loss
        self.counts["out_of_range"] += counted.out_of_range
        self.counts["negative"] += int((losses < 0).sum())

    def _unpack(self, packed: NDArray[Any]) -> None:
        known = packed["index"] >= _KNOWN
        indices = (packed["index"] & (_KNOWN - 1)).astype(np.int64)
        indices[indices == _OUTSIDE] = -1
        self._count(indices, packed["loss"].astype(np.float32), known)


def _packed(visits: Visits, known: NDArray[np.bool_]) -> NDArray[Any]:
    packed = np.empty(len(visits.indices), _PACKED)
    inside = (visits.indices >= 0) & (visits.indices < _OUTSIDE)
    packed["index"] = np.where(inside, visits.indices, _OUTSIDE) + known * _KNOWN
    packed["loss"] = visits.losses
    return packed

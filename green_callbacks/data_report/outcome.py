"""What a report comes to: totals, kinds of samples, and the list of each kind."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from green_callbacks.data_report.duplicates import Duplicates
from green_callbacks.data_report.known_energy import KnownEnergy
from green_callbacks.data_report.mislabeled import LEAST_VISITS, split
from green_callbacks.data_report.sample_table import AT_ONCE
from green_callbacks.data_report.visit_book import VisitBook
from green_callbacks.ledger.data_file import DataTotals

_BINS: Final = 40
"""Bins of the histogram of the mean loss, a count. Enough to see two groups."""
_SHOWN_QUANTILE: Final = 0.999
"""Share of the samples within the histogram, as a ratio. The last bin also has the few samples beyond it."""
_PIECE: Final = 65_536
"""Rows whose positions are listed at once, a count, so that lists take little memory."""

KINDS: Final = ("known_at_once", "forgotten", "never_learned", "probably_mislabeled")
"""Kinds of samples. A sample may be of several kinds."""

_Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a run besides its visits.

    Attributes:
        run_id: Name of the run.
        known_by: How the report tells that a sample is known, as a sentence. None if it cannot tell.
        dataset_size: Number of samples in the data set. None if unknown.
        duplicates: What the pass over the data set found. None if there was none.
        notes: What could not be done or known.
    """

    run_id: str
    known_by: str | None
    dataset_size: int | None
    duplicates: Duplicates | None
    notes: tuple[str, ...]


def outcome(book: VisitBook, energy: KnownEnergy, facts: Facts) -> tuple[DataTotals, dict[str, Iterable[Any]]]:
    """Return the totals of a report, and the positions of the samples of each kind.

    Args:
        book: The visits.
        energy: The energy of the visits.
        facts: What else is known.
    """
    kinds = _kinds(book, knows=facts.known_by is not None)
    visits, known_visits = book.take("visits", "known_visits")
    has_energy = energy.is_whole and energy.training[0] > 0
    knows = facts.known_by is not None
    duplicates = facts.duplicates
    totals = DataTotals(
        run_id=facts.run_id,
        samples=int((book.table.column("visits") > 0).sum()),
        visits=visits,
        known_visits=known_visits,
        dataset_size=facts.dataset_size,
        known_by=facts.known_by,
        **{name: None if kinds.get(name) is None else int(kinds[name].sum()) for name in KINDS},
        copies=None if duplicates is None else duplicates.copies,
        conflicting=None if duplicates is None else len(duplicates.conflicting),
        training_joules=energy.training if has_energy else None,
        known_joules=energy.known if has_energy and knows else None,
        notes=facts.notes,
        histogram=_histogram(book, kinds),
    )
    lists: dict[str, Iterable[Any]] = {name: _positions(mask) for name, mask in kinds.items()}
    if duplicates is not None:
        lists |= {"duplicates": duplicates.groups, "conflicting_duplicates": duplicates.conflicting}
    return totals, lists


def _kinds(book: VisitBook, *, knows: bool) -> dict[str, _Mask]:
    """Return which samples are of each kind. A kind is absent if it cannot be told."""
    table = book.table
    seen = table.column("visits") > 0
    kinds = dict[str, _Mask]()
    if knows:
        first, forgotten = table.first_known(), table.forgets() > 0
        kinds["known_at_once"] = (first > 0) & (first <= AT_ONCE) & ~forgotten
        kinds["forgotten"] = forgotten
        kinds["never_learned"] = seen & (first == 0)
    enough = table.column("visits") >= LEAST_VISITS
    if knows and seen.any() and 2 * int(enough.sum()) >= int(seen.sum()):
        means = table.mean_loss()
        found = split(means[enough])
        threshold = found.threshold if found is not None and found.has_wrong_labels(book.chance) else np.inf
        kinds["probably_mislabeled"] = enough & (means > threshold)
    return kinds


def _histogram(book: VisitBook, kinds: Mapping[str, _Mask]) -> dict[str, tuple[float, ...]]:
    seen = book.table.column("visits") > 0
    if not seen.any():
        return {}
    means = book.table.mean_loss()
    top = float(np.quantile(means[seen], _SHOWN_QUANTILE))
    bottom = min(float(means[seen].min()), top)
    edges = np.linspace(bottom, top if top > bottom else bottom + 1.0, _BINS + 1)
    shown = {"all": seen, **kinds}
    counted = {name: np.histogram(np.minimum(means[mask], edges[-1]), bins=edges)[0] for name, mask in shown.items()}
    return {"edges": tuple(edges.tolist()), **{name: tuple(bins.tolist()) for name, bins in counted.items()}}


def _positions(mask: _Mask) -> Iterator[int]:
    for start in range(0, len(mask), _PIECE):
        yield from (np.flatnonzero(mask[start : start + _PIECE]) + start).tolist()

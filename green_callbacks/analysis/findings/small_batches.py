"""Batches that cost more energy for each sample than other batches of the same run."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from green_callbacks.analysis.findings.finding import Finding
from green_callbacks.analysis.findings.run_facts import LEAST_SECONDS, Row, RunFacts, amount_of, are_measured
from green_callbacks.records.effort import Work
from green_callbacks.text.wording import significant

_LEAST_RATIO: Final = 1.5
"""Ratio of two sizes of batches from which on they are compared (by convention). The last batch of an epoch is often
smaller, and changes the mean by less."""
_SAME: Final = 1.1
"""Ratio of two sizes up to which they count as the same size (by convention)."""
_SAME_WORK: Final = 1.05
"""Ratio of tokens, or of operations, of a sample up to which samples are the same work (by convention)."""
_LEAST_SAVING: Final = 0.05
"""Share of the energy for each sample that the larger batch must have saved, as a ratio (by convention)."""
_MORE_WAIT: Final = 0.05
"""Largest share of the time by which one size may have waited longer for data, as a ratio (by convention). Data that
are read for the first time make batches dear, whatever their size."""
_LEAST_RECORDS: Final = 2
"""Number of records of a size that are compared (by convention)."""
_DIGITS: Final = 2
"""Significant digits of the size of a batch."""
_WORKS: Final = ("tokens", "flops")
"""The counts that show how much work samples are."""


_NO_WORK: Final = Work(0.0, 0.0, 0.0, 0.0)


class _Size(NamedTuple):
    rows: list[Row]
    batch: float
    joules: float
    low: float
    high: float


def small_batches(facts: RunFacts) -> Finding | None:
    """Return whether smaller batches took more energy for each sample.

    It is only said where a run has seen two sizes, and where the difference exceeds all bounds. The first record of a
    run is left out, because it holds what is done once.

    Args:
        facts: The records of the run.

    Returns:
        The ratio of the energy for each sample. The cost is what the larger batch would have saved.
    """
    sizes = list(_sizes(facts.inside))
    if len(sizes) < 2:  # noqa: PLR2004  a comparison takes two
        return None
    large = max(sizes, key=lambda size: size.batch)
    small = min(sizes, key=lambda size: size.batch)
    differs = large.batch >= _LEAST_RATIO * small.batch and 0 < large.joules <= large.high < small.low <= small.joules
    is_enough = small.joules - large.joules >= _LEAST_SAVING * small.joules
    if not (differs and is_enough and _are_alike(small, large)):
        return None
    costs = _saved(small, large)
    # Small pictures and frozen layers allow large batches, too, and take less by themselves.
    condition = "" if _is_work_known(small) else ", if a sample was as much work in them"
    text = (
        f"Batches of about {_rounded(small.batch)} samples took {significant(small.joules)} J a sample, and batches of "
        f"about {_rounded(large.batch)} took {significant(large.joules)} J. With the larger batch, the epochs of the "
        f"smaller would have cost {amount_of(costs)} less{condition}."
    )
    return Finding(key="small_batches", value=small.joules / large.joules, text=text, **costs, is_saving=True)


def _sizes(rows: Sequence[Row]) -> Iterator[_Size]:
    """Yield the sizes of batches that were used for long enough, each with its energy for each sample."""
    known = [row for row in rows[1:] if row.record.complete and _batch(row) and row.joules]
    known.sort(key=_batch)
    if not known or not are_measured(known):
        return
    groups = [[known[0]]]
    for before, row in pairwise(known):
        if _batch(row) > _SAME * _batch(before):
            groups.append([])
        groups[-1].append(row)
    for group in groups:
        if len(group) >= _LEAST_RECORDS and sum(map(_train_seconds, group)) >= LEAST_SECONDS:
            yield _size(group)


def _size(rows: list[Row]) -> _Size:
    works = list(map(_samples, rows))
    steps = sum(row.effort.steps.units for row in rows if row.effort.steps)
    samples = sum(work.units for work in works)
    joules, low, high = (sum(getattr(work, name) for work in works) for name in ("amount", "low", "high"))
    return _Size(rows, samples / steps, joules / samples, low / samples, high / samples)


def _samples(row: Row) -> Work:
    return row.effort.samples or _NO_WORK


def _batch(row: Row) -> float:
    """Return the samples of a step. 0 if unknown."""
    steps = row.effort.steps
    return _samples(row).units / steps.units if steps is not None and steps.units > 0 else 0.0


def _saved(small: _Size, large: _Size) -> dict[str, Any]:
    """Return what the larger batch would have saved, as arguments of a finding."""
    share = (small.joules - large.joules) / small.joules
    parts = [(row, share * _samples(row).amount / (row.joules or 1.0)) for row in small.rows]
    return {
        "facility_kwh": sum(part * row.facility_kwh for row, part in parts),
        "emissions_kg": sum(part * row.emissions_kg for row, part in parts),
    }


def _train_seconds(row: Row) -> float:
    train = row.record.phases.get("train")
    return row.record.duration_seconds if train is None else train.seconds


def _are_alike(one: _Size, other: _Size) -> bool:
    """Return whether a sample is as much work in both sizes, as far as that is known, on the same devices."""
    if _devices(one) != _devices(other) or abs(_wait_share(one) - _wait_share(other)) > _MORE_WAIT:
        return False
    for name in _WORKS:
        works = [_work(size, name) for size in (one, other)]
        known = [work for work in works if work]
        if len(known) == 1 or (known and max(known) > _SAME_WORK * min(known)):
            return False
    return True


def _devices(size: _Size) -> set[str]:
    return {name for row in size.rows for name in row.record.devices}


def _wait_share(size: _Size) -> float:
    waits = sum(row.record.data_wait_seconds or 0.0 for row in size.rows)
    return waits / sum(map(_train_seconds, size.rows))


def _is_work_known(size: _Size) -> bool:
    return any(_work(size, name) for name in _WORKS)


def _work(size: _Size, name: str) -> float:
    samples = sum(row.record.samples or 0 for row in size.rows)
    return float(sum(getattr(row.record, name) or 0 for row in size.rows)) / samples


def _rounded(batch: float) -> str:
    return significant(batch, _DIGITS) if batch < 100 else f"{batch:.0f}"  # noqa: PLR2004  three digits from there on

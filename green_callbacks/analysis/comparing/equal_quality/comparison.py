"""The comparison of two groups of runs at equal quality."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from green_callbacks.analysis.comparing.equal_quality.censored import LogRank, log_rank, median_cost, ways_of
from green_callbacks.analysis.comparing.equal_quality.fairness import unlike
from green_callbacks.analysis.comparing.equal_quality.power import runs_needed
from green_callbacks.analysis.comparing.equal_quality.ratio import Ratio, permutation_p, ratio_of
from green_callbacks.analysis.comparing.equal_quality.reaching import (
    QUANTITIES,
    Quantity,
    Reached,
    Side,
    Target,
)
from green_callbacks.analysis.comparing.group import Group
from green_callbacks.errors import ConfigurationError
from green_callbacks.text import for_terminal

SIZE: Final = 0.1
"""Relative difference for which a comparison says how many runs would show it. A ratio. By choice.

Example:
    >>> SIZE
    0.1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One quantity, compared between two sides.

    Attributes:
        quantity: The quantity.
        costs: Costs of the runs of both sides that reached the quality and whose cost is known, in kWh, kgCO2e or s.
        unknown: Names of runs whose cost is not known or is 0. Defaults to none.
        ratio: Ratio of the first side to the second. Defaults to None, if a run did not reach the quality, or if a side
            has no known cost.
        log_rank: What the log-rank test says, where a run did not reach the quality. Defaults to None, if all did, or
            if nothing is known.
        medians: Costs by which half of the runs of each side had reached the quality, where a run did not reach it.
            Defaults to None for each side, if all did, or if nothing is known.
        needed: Number of runs of each side that would show a difference of :attr:`size`. Defaults to None, if unknown
            or above 10,000.
        size: Relative difference that ``needed`` is about. Defaults to 0.1.

    Example:
        >>> Compared(quantity="energy", costs=([0.4], [0.5]), ratio=Ratio(estimate=0.8)).ratio.estimate
        0.8
    """

    quantity: Quantity
    costs: tuple[Sequence[float], Sequence[float]]
    unknown: Sequence[str] = ()
    ratio: Ratio | None = None
    log_rank: LogRank | None = None
    medians: tuple[float | None, float | None] = (None, None)
    needed: int | None = None
    size: float = SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two groups of runs, compared at equal quality.

    Attributes:
        target: The quality.
        first: The first side.
        second: The second side, with which the first is compared.
        is_paired: Whether both sides have the same seeds, each once.
        quantities: Energy, emissions and time, in this order.
        unlike: Sentences about conditions that make the comparison unfair.

    Example:
        >>> from pathlib import Path
        >>> from green_callbacks.analysis.comparing import ComparedRun
        >>> from green_callbacks.metrics import Metric
        >>> groups = [Group(name, [ComparedRun(run_id=name, path=Path(name))]) for name in ("new", "old")]
        >>> compare_groups(*groups, Target(Metric("val_acc", "max"), 0.92)).first.missed[0].run_id
        'new'
    """

    target: Target
    first: Side
    second: Side
    is_paired: bool
    quantities: Sequence[Compared]
    unlike: Sequence[str]

    @property
    def all_reached(self) -> bool:
        """Whether every run reached the quality."""
        return not self.first.missed and not self.second.missed

    def of(self, quantity: Quantity) -> Compared:
        """Return the comparison of one quantity.

        Args:
            quantity: The quantity.
        """
        return next(each for each in self.quantities if each.quantity == quantity)


def compare_groups(
    first: Group,
    second: Group,
    target: Target,
    *,
    size: float = SIZE,
    quantities: Iterable[Quantity] = QUANTITIES,
    chosen_by: Iterable[str] = (),
) -> Comparison:
    """Compare two groups of runs at equal quality.

    Args:
        first: The runs of the first side.
        second: The runs of the second side.
        target: The quality.
        size: Relative difference for which the number of needed runs is computed. Defaults to 0.1.
        quantities: What to compare. Defaults to energy, emissions and time.
        chosen_by: Labels that chose the runs of a side, which differ on purpose. Defaults to none.

    Raises:
        ConfigurationError: A run is on both sides, or SciPy is missing.

    Example:
        >>> from pathlib import Path
        >>> from green_callbacks.analysis.comparing import ComparedRun, RunPoint, RunPoints
        >>> from green_callbacks.metrics import Metric
        >>> def runs(name, *kwh):
        ...     points = [RunPoints([RunPoint(0, 0.95, each, each, each)]) for each in kwh]
        ...     made = (
        ...         ComparedRun(run_id=f"{name}-{at}", path=Path(name), points=each, kwh=1.0)
        ...         for at, each in enumerate(points)
        ...     )
        ...     return Group(name, list(made))
        >>> target = Target(Metric("val_acc", "max"), 0.92)
        >>> comparison = compare_groups(runs("new", 4.0, 4.2), runs("old", 5.0, 5.3), target)
        >>> round(comparison.of("energy").ratio.estimate, 2)
        0.8
    """
    both = {run.run_id for run in first.runs} & {run.run_id for run in second.runs}
    if both:
        msg = f"Run {for_terminal(min(both))} is on both sides. Name it on one side only."
        raise ConfigurationError(msg)
    sides = Side.of(first, target), Side.of(second, target)
    pairs = _pairs(*sides)
    compared = [_compared(quantity, sides, pairs, size) for quantity in quantities]
    return Comparison(
        target=target,
        first=sides[0],
        second=sides[1],
        is_paired=bool(pairs),
        quantities=compared,
        unlike=unlike(*sides, chosen_by=frozenset(chosen_by)),
    )


def _pairs(first: Side, second: Side) -> list[tuple[Reached, Reached]]:
    """Return the runs of the same seed. Empty unless both sides have the same seeds, each once, and all reached."""
    by_seed = [{each.run.seed: each for each in side.reached} for side in (first, second)]
    complete = all(len(seeds) == side.size for seeds, side in zip(by_seed, (first, second), strict=True))
    if not complete or None in by_seed[0] or by_seed[0].keys() != by_seed[1].keys():
        return []
    return [(by_seed[0][seed], by_seed[1][seed]) for seed in sorted(by_seed[0], key=str)]


def _compared(
    quantity: Quantity, sides: tuple[Side, Side], pairs: Sequence[tuple[Reached, Reached]], size: float
) -> Compared:
    columns = tuple(zip(*pairs, strict=True)) if pairs else tuple(side.reached for side in sides)
    known = [[each.cost(quantity) for each in column] for column in columns]
    unknown = [
        each.run.run_id
        for column, costs in zip(columns, known, strict=True)
        for each, cost in zip(column, costs, strict=True)
        if not cost
    ]
    first, second = ([cost for cost in costs if cost] for costs in known)
    found = Compared(quantity=quantity, costs=(first, second), unknown=unknown, size=size)
    if sides[0].missed or sides[1].missed:
        ways = [ways_of(side, quantity) for side in sides]
        medians = median_cost(ways[0]), median_cost(ways[1])
        return found if unknown else replace(found, log_rank=log_rank(*ways), medians=medians)
    if not first or not second:
        return found
    is_paired = bool(pairs) and not unknown
    ratio = ratio_of(first, second, paired=is_paired)
    if ratio.low is None:
        return replace(found, ratio=ratio)
    return replace(
        found,
        ratio=replace(ratio, permutation_p=permutation_p(first, second, paired=is_paired)),
        needed=runs_needed(first, second, size, paired=is_paired),
    )

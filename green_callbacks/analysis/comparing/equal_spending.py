"""Groups of runs at the same spending, with rows of reference that a method must beat.

The reference is the same training by fewer epochs. A method that chooses data or a schedule is worth its effort if it
beats that row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Self

from green_callbacks.analysis.comparing.group import Group
from green_callbacks.analysis.comparing.quality_curve import Axis, Kept, QualityCurve
from green_callbacks.analysis.comparing.value_intervals import Difference, Mean, difference, mean_of
from green_callbacks.metrics import Metric

__all__ = ["Contrast", "CurveGroup", "GroupAt", "contrasts", "groups_at", "smallest_total"]

_WHOLE: Final = 1.0
"""Share of a run that has ended, as a ratio."""


@dataclass(frozen=True, slots=True)
class CurveGroup:
    """The curves of one group of runs.

    Attributes:
        name: Name of the group.
        curves: A curve of each run.
        is_reference: Whether the group is the same training by fewer epochs. Defaults to False.

    Example:
        >>> CurveGroup("fewer", [QualityCurve("a", [1.0], [0.6], 1.0)], is_reference=True).name
        'fewer'
    """

    name: str
    curves: Sequence[QualityCurve]
    is_reference: bool = False

    @classmethod
    def of(cls, group: Group, metric: Metric, axis: Axis, kept: Kept = "best", *, is_reference: bool = False) -> Self:
        """Read the curves of a group.

        Args:
            group: The group, with points of the metric.
            metric: The metric.
            axis: What the runs spend.
            kept: Which value of a run counts. Defaults to ``best``.
            is_reference: Whether the group is the same training by fewer epochs. Defaults to False.

        Example:
            >>> CurveGroup.of(Group("fewer", []), Metric("val_acc", "max"), "energy").curves
            []
        """
        curves = [QualityCurve.of(run, metric, axis, kept) for run in group.runs]
        return cls(group.name, curves, is_reference)


@dataclass(frozen=True, slots=True)
class GroupAt:
    """A group of runs at an amount.

    Attributes:
        group: The group.
        counted: The runs that spent the amount and had a value by then.
        values: The values of these runs.
        short: The runs that spent less. They are left out, because nothing is extrapolated.
        unknown: Names of the runs without a value by then, or without measured spending.
        mean: Mean of the values. None if no run counts.
        share: Share of its whole spending at which a run is read, as the median over the runs. It is 1 for runs that
            ended there. None if no run counts.
        is_unfinished: Whether a learning rate was still to fall in most of the runs.

    Example:
        >>> groups_at([CurveGroup("fewer", [QualityCurve("a", [1.0], [0.6], 2.0)])], amount=1.5)[0].share
        0.75
    """

    group: CurveGroup
    counted: Sequence[QualityCurve]
    values: Sequence[float]
    short: Sequence[QualityCurve]
    unknown: Sequence[str]
    mean: Mean | None
    share: float | None
    is_unfinished: bool


@dataclass(frozen=True, slots=True)
class Contrast:
    """A group against a group of reference, or against the other group.

    Attributes:
        ours: The group.
        theirs: The group that it must beat.
        difference: Mean of the first group less the mean of the second group.
        verdict: ``beats``, ``loses`` or ``open``, where no difference is shown.

    Example:
        >>> curves = [QualityCurve("a", [1.0], [0.6], 1.0)]
        >>> groups = [CurveGroup("trick", curves), CurveGroup("fewer", curves, is_reference=True)]
        >>> [found.verdict for found in contrasts(groups_at(groups, 1.0), rises=True)]
        ['open']
    """

    ours: GroupAt
    theirs: GroupAt
    difference: Difference
    verdict: str


def smallest_total(groups: Sequence[CurveGroup]) -> float | None:
    """Return the smallest median total of a group. Most runs of every group spent as much.

    Args:
        groups: The groups.

    Returns:
        The amount, in the unit of the curves. None if a group has no run with measured spending.

    Example:
        >>> smallest_total([CurveGroup("fewer", [QualityCurve("a", [1.0], [0.6], 2.0)])])
        2.0
    """
    totals = [[curve.total for curve in group.curves if curve.total] for group in groups]
    return min(median(each) for each in totals) if totals and all(totals) else None


def groups_at(groups: Sequence[CurveGroup], amount: float) -> list[GroupAt]:
    """Return each group at an amount.

    Args:
        groups: The groups.
        amount: The amount, in the unit of the curves.

    Raises:
        ConfigurationError: SciPy is missing.

    Example:
        >>> groups_at([CurveGroup("fewer", [QualityCurve("a", [1.0], [0.6], 1.0)])], amount=1.0)[0].mean
        Mean(value=0.6, low=None, high=None)
    """
    return [_at(group, amount) for group in groups]


def _at(group: CurveGroup, amount: float) -> GroupAt:
    read = [(curve, curve.value_at(amount)) for curve in group.curves]
    counted = [(curve, value) for curve, value in read if value is not None]
    short = [curve for curve, _ in read if curve.total is not None and curve.is_short_of(amount)]
    unknown = [curve.run_id for curve, value in read if value is None and curve not in short]
    values = [value for _, value in counted]
    inside = [curve for curve, _ in counted if not curve.ends_by(amount)]
    return GroupAt(
        group,
        counted=[curve for curve, _ in counted],
        values=values,
        short=short,
        unknown=unknown,
        mean=mean_of(values) if values else None,
        share=median(_share(curve, amount) for curve, _ in counted) if counted else None,
        is_unfinished=sum(curve.anneals for curve in inside) * 2 > len(counted),
    )


def _share(curve: QualityCurve, amount: float) -> float:
    return _WHOLE if curve.ends_by(amount) or not curve.total else amount / curve.total


def contrasts(groups: Sequence[GroupAt], *, rises: bool) -> list[Contrast]:
    """Compare each group with every reference, and without a reference the first group with each other group.

    Args:
        groups: The groups at an amount.
        rises: Whether more of the metric is better.

    Returns:
        The comparisons. Groups without a value have none.

    Raises:
        ConfigurationError: SciPy is missing.

    Example:
        >>> contrasts([], rises=True)
        []
    """
    known = [each for each in groups if each.values]
    references = [each for each in known if each.group.is_reference]
    methods = [each for each in known if not each.group.is_reference]
    between = [(methods[0], other) for other in methods[1:]]
    against = [(each, reference) for each in methods for reference in references]
    return [_contrast(ours, theirs, rises=rises) for ours, theirs in [*against, *between]]


def _contrast(ours: GroupAt, theirs: GroupAt, *, rises: bool) -> Contrast:
    pairs = _pairs(ours, theirs)
    found = difference(*(zip(*pairs, strict=True) if pairs else (ours.values, theirs.values)), is_paired=bool(pairs))
    verdict = "open" if not found.shows else "beats" if (found.value > 0.0) == rises else "loses"
    return Contrast(ours, theirs, found, verdict)


def _pairs(ours: GroupAt, theirs: GroupAt) -> list[tuple[float, float]]:
    """Return the values of runs with the same seed. Empty unless both groups have the same seeds, each once."""
    one, other = _by_seed(ours), _by_seed(theirs)
    return [(one[seed], other[seed]) for seed in one] if one and one.keys() == other.keys() else []


def _by_seed(group: GroupAt) -> dict[str, float]:
    found = {curve.seed: value for curve, value in zip(group.counted, group.values, strict=True)}
    is_clear = len(found) == len(group.values) and None not in found
    return {seed: value for seed, value in found.items() if seed is not None} if is_clear else {}

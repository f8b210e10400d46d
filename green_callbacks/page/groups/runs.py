"""Runs of a report in groups by a label, with their quality against their emissions."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final

from green_callbacks.analysis.comparing.quality_curve import QualityCurve
from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger.overview import LedgerOverview
from green_callbacks.metrics import Metric
from green_callbacks.text import for_terminal

__all__ = ["LabeledRuns", "RunGroup", "labeled_runs"]

FOLDER: Final = "folder"
"""Name by which runs are grouped by their folder, unless a label has this name."""

_UNLABELED: Final = "without the label"
_MOST_GROUPS: Final = 7
"""Largest number of groups. The chart has as many colors that can be told apart."""

_MOST_NAMED: Final = 10
"""Largest number of labels that a message names, by convention."""


@dataclass(frozen=True, slots=True)
class RunGroup:
    """The runs of one group.

    Attributes:
        name: Name of the group.
        curves: The best values of each run against its emissions in kgCO2e.

    Example:
        >>> group = RunGroup("fewer", [QualityCurve("a", [1.0, 2.0], [0.5, 0.75], 2.0)])
        >>> group.range_of([0.5, 0.75])
        (0.625, 0.5, 0.75)
    """

    name: str
    curves: Sequence[QualityCurve]

    @property
    def totals(self) -> list[float]:
        """Emissions of each run, in kgCO2e."""
        return [curve.total for curve in self.curves if curve.total is not None]

    @property
    def bests(self) -> list[float]:
        """Best value of each run."""
        return [curve.values[-1] for curve in self.curves if curve.values]

    @staticmethod
    def range_of(values: Sequence[float]) -> tuple[float, float, float]:
        """Return mean, lowest and highest of some values.

        Args:
            values: At least one value.
        """
        return fmean(values), min(values), max(values)


@dataclass(frozen=True, slots=True)
class LabeledRuns:
    """All groups of a report.

    Attributes:
        label: The label.
        metric: The metric of most runs.
        groups: The groups, the largest first.
        said: Sentences about runs that are left out.

    Example:
        >>> group = RunGroup("fewer", [QualityCurve("a", [1.0, 2.0], [0.5, 0.75], 2.0)])
        >>> LabeledRuns("method", Metric("val_acc", "max"), [group], []).amount_kg
        2.0
    """

    label: str
    metric: Metric
    groups: Sequence[RunGroup]
    said: Sequence[str]

    @property
    def amount_kg(self) -> float:
        """Emissions at which the groups are compared, which are the smallest median of a group, in kgCO2e."""
        return min(median(group.totals) for group in self.groups)


def labeled_runs(runs: Iterable[tuple[str, LedgerOverview]], label: str) -> LabeledRuns:
    """Group runs by a label, or by their folder.

    Args:
        runs: Each run with its folder.
        label: The label, or ``folder``.

    Returns:
        The groups of the runs with the metric that most runs have.

    Raises:
        ConfigurationError: No run has the label, or no run has a metric and measured emissions.

    Example:
        >>> try:
        ...     labeled_runs([], "method")
        ... except ConfigurationError as error:
        ...     print(error)
        No run has the label method. Group by folder, or by a label of these runs (none).
    """
    found = list(runs)
    is_label = _is_label(label, [overview for _, overview in found])
    counted = [(folder, each) for folder, each in found if each.closing.front and each.closing.energy_joules]
    if not counted:
        msg = f"No run has a metric and known emissions, so groups by {for_terminal(label)} cannot be drawn."
        raise ConfigurationError(msg)
    kinds = Counter((each.closing.monitor, each.closing.mode) for _, each in counted)
    (name, mode), count = kinds.most_common(1)[0]
    groups: dict[str, list[QualityCurve]] = {}
    for folder, each in counted:
        if (each.closing.monitor, each.closing.mode) == (name, mode):
            groups.setdefault(_group(folder, each, label, is_label=is_label), []).append(_curve(each))
    largest = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    metric = Metric(name or "", "min" if mode == "min" else "max")
    said = [*_other_metrics(len(found) - count, len(found), metric), *_other_groups(len(largest))]
    return LabeledRuns(label, metric, [RunGroup(*each) for each in largest[:_MOST_GROUPS]], said)


def _is_label(label: str, found: Sequence[LedgerOverview]) -> bool:
    """Return whether runs have the label. Otherwise they are grouped by their folder."""
    labels = sorted({name for each in found for name in each.head.labels})
    if label not in (*labels, FOLDER):
        known = ", ".join(map(for_terminal, labels[:_MOST_NAMED])) or "none"
        msg = f"No run has the label {for_terminal(label)}. Group by {FOLDER}, or by a label of these runs ({known})."
        raise ConfigurationError(msg)
    return label in labels


def _group(folder: str, overview: LedgerOverview, label: str, *, is_label: bool) -> str:
    if not is_label:
        return folder or "."
    return overview.head.labels.get(label) or f"{_UNLABELED} {label}"


def _curve(overview: LedgerOverview) -> QualityCurve:
    closing = overview.closing
    points = [point for point in closing.front if point.value is not None]
    values = [point.value for point in points if point.value is not None]
    return QualityCurve(closing.run_id, [point.kg for point in points], values, closing.emissions_kg)


def _other_metrics(count: int, of: int, metric: Metric) -> list[str]:
    if not count:
        return []
    return [f"{count} of {of} runs are not in a group, because they have no {metric.name} or no known emissions."]


def _other_groups(count: int) -> list[str]:
    if count <= _MOST_GROUPS:
        return []
    return [f"{_MOST_GROUPS} of {count} groups are shown, which are the groups with the most runs."]

"""The groups of runs that the arguments of ``green-callbacks compare`` name, read once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from green_callbacks.analysis.comparing import Group, read_group
from green_callbacks.analysis.comparing.group import ledgers_at
from green_callbacks.cli.compare.selection import Selection, selections
from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger.index import LedgerEntry, entry_of
from green_callbacks.text import for_terminal


@dataclass(frozen=True, slots=True)
class NamedGroup:
    """A group of runs as the arguments name it.

    Attributes:
        group: The group.
        labels: Labels that chose its runs.
        is_reference: Whether it is the same training by fewer epochs.
    """

    group: Group
    labels: frozenset[str]
    is_reference: bool


def read_groups(
    first: Sequence[str], against: Sequence[Sequence[str]], references: Sequence[Sequence[str]], metric: str
) -> list[NamedGroup]:
    """Read all groups, the first group first, then the others, and last the references.

    Args:
        first: Terms of the first side.
        against: Terms of each ``--against``.
        references: Terms of each ``--reference``. It may name a group that is there already.
        metric: Key of the compared metric.

    Returns:
        The groups with different names. No run is in two of them.

    Raises:
        LedgerError: A ledger cannot be read.
        ConfigurationError: There is only one group, or a run is in two groups.
    """
    others = _others(against, references)
    found: list[NamedGroup] = []
    for terms, is_reference in others:
        sides = selections(first, [terms])
        if not found:
            found.append(_read(sides[0], metric, first, found, is_reference=False))
        _add(found, _read(sides[1], metric, terms, found, is_reference=is_reference))
    return found


def metric_of_runs(first: Sequence[str], against: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> str:
    """Return the metric that a run of the first side watched, or else its first validation metric.

    Args:
        first: Terms of the first side.
        against: Terms of each ``--against``.
        references: Terms of each ``--reference``.

    Raises:
        ConfigurationError: There is no other side, or no run of the first side has such a metric.
    """
    side, _ = selections(first, [_others(against, references)[0][0]])
    for path in side.paths:
        for file in ledgers_at(path):
            entry = entry_of(file)
            if isinstance(entry, LedgerEntry) and entry.closing.monitor and _is_of(side, entry.head.labels):
                return entry.closing.monitor
    msg = "No run of the first side watched a metric. Name the metric with --monitor, such as --monitor val_acc."
    raise ConfigurationError(msg)


def _others(against: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> list[tuple[Sequence[str], bool]]:
    """Return the terms of the other groups, each with whether it is a reference."""
    others = [*((terms, False) for terms in against), *((terms, True) for terms in references)]
    if not others:
        msg = "A comparison needs other runs. Name them with --against, or runs of fewer epochs with --reference."
        raise ConfigurationError(msg)
    return others


def _is_of(side: Selection, labels: Mapping[str, str]) -> bool:
    return all(labels.get(label) in values for label, values in side.labels.items())


def _read(
    side: Selection, metric: str, terms: Sequence[str], before: Sequence[NamedGroup], *, is_reference: bool
) -> NamedGroup:
    is_taken = any(each.group.name == side.name for each in before)
    name = for_terminal(" ".join(terms)) if is_taken else side.name
    return NamedGroup(read_group(name, side.paths, metric, side.labels), frozenset(side.labels), is_reference)


def _add(found: list[NamedGroup], added: NamedGroup) -> None:
    """Add a group. A group that is there already becomes the reference if it is named again as such."""
    new = {run.run_id for run in added.group.runs}
    for at, each in enumerate(found):
        both = new & {run.run_id for run in each.group.runs}
        if both and added.is_reference and len(both) == len(new) == len(each.group.runs):
            found[at] = replace(each, is_reference=True)
            return
        if both:
            names = [each.group.name, added.group.name]
            sides = "" if each.group.name.startswith("the ") else f", {' and '.join(names)}"
            msg = f"Run {for_terminal(min(both))} is on both sides{sides}. Name it on one side only."
            raise ConfigurationError(msg)
    found.append(added)

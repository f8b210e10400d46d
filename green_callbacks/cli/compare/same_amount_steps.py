"""The steps of a comparison at the same spending."""

import argparse
from collections.abc import Sequence

from green_callbacks.analysis.comparing.equal_quality.fairness import unlike
from green_callbacks.analysis.comparing.equal_quality.reaching import Side
from green_callbacks.analysis.comparing.equal_spending import CurveGroup
from green_callbacks.analysis.comparing.same_amount import SameAmount, amount_of
from green_callbacks.cli.compare.groups import NamedGroup
from green_callbacks.metrics import Metric


def same_amount(arguments: argparse.Namespace, groups: Sequence[NamedGroup], metric: Metric) -> SameAmount:
    """Compare groups at the same spending, and draw them if asked.

    Args:
        arguments: ``at``, ``at_equal_energy``, ``of``, ``reach``, ``value`` and ``plot``.
        groups: The groups.
        metric: The metric.

    Raises:
        ConfigurationError: The amount cannot be read, a library is missing, or the picture cannot be drawn.
    """
    axis, amount = amount_of(arguments.at) if arguments.at else (arguments.of, None)
    axis = "energy" if arguments.at_equal_energy else axis
    curves = [
        CurveGroup.of(each.group, metric, axis, arguments.value, is_reference=each.is_reference) for each in groups
    ]
    said = _unlike(groups, known=1 if arguments.reach else 0)
    found = SameAmount.of(curves, metric, axis=axis, kept=arguments.value, amount=amount, unlike=said)
    if arguments.plot:
        from green_callbacks.cli.compare.curves_plot import plot
        from green_callbacks.cli.output_files import refuse_ledgers

        refuse_ledgers(arguments.plot, [run for each in groups for run in each.group.runs])
        plot(arguments.plot, curves, metric, axis, found)
    return found


def _unlike(groups: Sequence[NamedGroup], known: int) -> list[str]:
    """Return what makes the first group unlike the others.

    Args:
        groups: The groups.
        known: Number of other groups about which it is said elsewhere.
    """
    first, *others = [Side(each.group.name, reached=[], missed=each.group.runs) for each in groups]
    chosen_by = frozenset(label for each in groups for label in each.labels)
    return list(dict.fromkeys(said for other in others[known:] for said in unlike(first, other, chosen_by=chosen_by)))

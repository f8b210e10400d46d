"""The part of a report that shows groups of runs."""

from collections.abc import Iterator
from typing import Final

from green_callbacks.page.amounts import mass_text
from green_callbacks.page.groups.chart import COLORS, chart
from green_callbacks.page.groups.runs import LabeledRuns, RunGroup
from green_callbacks.text import for_html
from green_callbacks.text.wording import significant
from green_callbacks.units import kg_to_grams

__all__ = ["groups_html"]

_DIGITS: Final = 4
"""Significant digits of a metric."""

_HEADS: Final = ("Group", "Runs", "CO2e of a run", "Best", "At the same CO2e")
_UNKNOWN: Final = "\N{EN DASH}"


def groups_html(found: LabeledRuns) -> str:
    """Write the chart and the table of the groups.

    Args:
        found: The groups.

    Returns:
        A section of the page, without scripts and styles.

    Example:
        >>> from green_callbacks.analysis.comparing.quality_curve import QualityCurve
        >>> from green_callbacks.metrics import Metric
        >>> group = RunGroup("<b>", [QualityCurve("a", [1.0, 2.0], [0.5, 0.75], 2.0)])
        >>> "<b>" in groups_html(LabeledRuns("method", Metric("val_acc", "max"), [group], []))
        False
    """
    better = "More" if found.metric.rises else "Less"
    amount = mass_text(kg_to_grams(found.amount_kg))
    notes = [
        f"{better} {for_html(found.metric.name)} is better. From left to right: CO2e so far.",
        "A line is the mean of the best values so far of the runs.",
        "Its band goes from the lowest to the highest run, wherever at least half of the runs have data.",
        f"The same CO2e is {amount}, the smallest median of a group.",
        "A run inside a longer plan may fall behind a plan for this amount.",
        "Ranges are not chance. The command green-callbacks compare tells what is more than chance.",
        *map(for_html, found.said),
    ]
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    return "\n".join(
        [
            '<section class="card wide" id="groups">',
            f"<h2>Groups by {for_html(found.label)}</h2>",
            f'<div class="plot">{chart(found)}</div>',
            '<div class="scroll" tabindex="0" role="region" aria-label="Table of groups"><table>',
            f"<caption>Groups</caption><thead><tr>{heads}</tr></thead><tbody>",
            *_rows(found),
            "</tbody></table></div>",
            f"<p>{' '.join(notes)}</p>",
            "</section>",
        ]
    )


def _rows(found: LabeledRuns) -> Iterator[str]:
    for at, group in enumerate(found.groups):
        color = COLORS[at % len(COLORS)]
        mark = f'<svg width="14" height="14" viewBox="0 0 1 1"><path fill="{color}" d="M0 0H1V1H0Z"/></svg>'
        equal = [value for curve in group.curves if (value := curve.value_at(found.amount_kg)) is not None]
        cells = [str(len(group.curves)), _masses(group), _values(group.bests), _at_the_same(equal, len(group.curves))]
        name = f'<th scope="row"><label>{mark} {for_html(group.name)}</label></th>'
        yield f"<tr>{name}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _masses(group: RunGroup) -> str:
    mean, low, high = (mass_text(kg_to_grams(kg)) for kg in RunGroup.range_of(group.totals))
    return mean if low == high else f"{mean} ({low} to {high})"


def _values(values: list[float]) -> str:
    if not values:
        return _UNKNOWN
    mean, low, high = (significant(value, _DIGITS) for value in RunGroup.range_of(values))
    return mean if low == high else f"{mean} ({low} to {high})"


def _at_the_same(values: list[float], count: int) -> str:
    """Write the values at the same emissions. Runs that emitted less are not extrapolated."""
    written = _values(values)
    return written if len(values) in (0, count) else f"{written}, {len(values)} of {count} runs"

"""Many runs, or groups of runs, as a table with their sum."""

from collections.abc import Mapping, Sequence
from typing import Final

from green_callbacks.cli.summary.groups import TIMES
from green_callbacks.cli.summary.rows import Row, Sums, sums_of
from green_callbacks.cli.summary.sums import grams, spent
from green_callbacks.records.reference import AT_THE_WORLDS, reference_kg
from green_callbacks.text import for_terminal
from green_callbacks.text.layout import UNKNOWN, aligned
from green_callbacks.text.wording import duration, significant

MOST_ROWS: Final = 12
"""Number of rows of a table by default. With the lines around it, the table fits on a screen."""

_HEAD: Final = ("run", "epochs", "time", "kWh", "g CO2e", "at world's", "place", "best")
_LEFT: Final = (0, 6, 7)
"""Indices of the columns that align left, which are run, place and best."""
_GROUP_HEAD: Final = ("runs", "unfinished", "epochs", "time", "kWh", "g CO2e", "at world's")
_METRIC_DIGITS: Final = 4
"""Significant digits of a metric."""
_MOST_LINES: Final = 3
"""Largest number of runs that get a line each below the table, by convention."""

NOTE: Final = (
    "kWh include the PUE. Energy that was not measured is in no sum.\n"
    f"at world's is the g CO2e of the same energy {AT_THE_WORLDS}."
)
"""What the columns mean, as the last lines."""


def table_of_runs(rows: Sequence[Row], top: int | None) -> str:
    """Write runs as a table, with their sum.

    Args:
        rows: The runs.
        top: Number of runs to show, with the most emissions first. None for all if they are few.

    Returns:
        Lines of plain text. One row stands for all runs that are not shown.
    """
    shown, rest = _split(rows, top)
    cells = [_HEAD, *map(_cells, shown)]
    if rest:
        cells.append([f"… and {_count(len(rest), 'more run')}", *_sum_cells(sums_of(rest)), "", ""])
    sums = sums_of(rows)
    cells.append([_count(sums.runs, "run"), *_sum_cells(sums), "", ""])
    return aligned(cells, left=_LEFT)


def _split(rows: Sequence[Row], top: int | None) -> tuple[Sequence[Row], Sequence[Row]]:
    if top is None and len(rows) <= MOST_ROWS:
        return rows, ()
    most = sorted(rows, key=lambda row: -row.closing.emissions_kg)
    count = MOST_ROWS if top is None else top
    return most[:count], most[count:]


def _cells(row: Row) -> list[str]:
    closing = row.closing
    is_measured = closing.energy_joules is not None
    kwh, kg = (closing.facility_kwh, closing.emissions_kg) if is_measured else (None, None)
    reference = reference_kg(closing.facility_kwh) if is_measured else None
    return [
        row.run.run_id,
        str(closing.epochs),
        duration(closing.duration_seconds),
        *spent(kwh, kg),
        grams(reference),
        (None if closing.facts is None else closing.facts.place) or UNKNOWN,
        best_cell(row),
    ]


def best_cell(row: Row) -> str:
    """Return the best value of a run with the name of its metric, or ``-``.

    Args:
        row: The run.
    """
    return (
        UNKNOWN if row.metric is None or row.best is None else f"{row.metric} {significant(row.best, _METRIC_DIGITS)}"
    )


def _sum_cells(sums: Sums) -> list[str]:
    kwh, kg = sums.facility_kwh, sums.emissions_kg
    return [str(sums.epochs), duration(sums.duration_seconds), *spent(kwh, kg), grams(sums.reference_kg)]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def table_of_groups(groups: Mapping[str, Sequence[Row]], by: str, top: int | None) -> str:
    """Write groups of runs as a table, with their sum. Days and months stand in order, other groups by emissions.

    Args:
        groups: The runs of each group, by its name.
        by: What they are grouped by.
        top: Number of groups to show. None for as many as fit on a screen.

    Returns:
        Lines of plain text. One row stands for all groups that are not shown.
    """
    sums = {name: sums_of(rows) for name, rows in groups.items()}
    names = sorted(sums, key=lambda name: (-(sums[name].emissions_kg or 0.0), name))
    count = MOST_ROWS if top is None else top
    shown = sorted(names[:count]) if by in TIMES else names[:count]
    cells = [[by, *_GROUP_HEAD], *([name, *_group_cells(sums[name])] for name in shown)]
    rest = [row for name in names[count:] for row in groups[name]]
    if rest:
        cells.append([f"… and {_count(len(names) - count, 'more group')}", *_group_cells(sums_of(rest))])
    everything = [row for rows in groups.values() for row in rows]
    cells.append([_count(len(names), "group"), *_group_cells(sums_of(everything))])
    return aligned(cells)


def _group_cells(sums: Sums) -> list[str]:
    return [f"{sums.runs:,}", f"{sums.unfinished:,}", *_sum_cells(sums)]


def remarks(rows: Sequence[Row], overlaps: Sequence[str]) -> list[str]:
    """Return what a reader of a sum must know, as lines.

    Args:
        rows: The runs.
        overlaps: Sentences about devices that several processes measured at the same time.
    """
    inside = [_inside(row, row.holder) for row in rows if row.holder is not None]
    facts = [(row, row.closing.facts) for row in rows]
    left_out = [f"{for_terminal(row.run.run_id)}: {each.left_out}" for row, each in facts if each and each.left_out]
    return [
        *_few(inside, "runs lie in other runs, so the sum counts their energy there, for example"),
        *_few(left_out, "runs leave out energy, for example"),
        *overlaps,
    ]


def _few(lines: Sequence[str], what: str) -> Sequence[str]:
    return lines if len(lines) <= _MOST_LINES else [f"{len(lines):,} {what} {lines[0]}"]


def _inside(row: Row, other: str) -> str:
    name, holder = for_terminal(row.run.run_id), for_terminal(other)
    if other in {each for session in row.run.entry.head.sessions for each in session}:
        return f"{name} is inside run {holder}, so the sum counts it there."
    return f"{name} did not end, and {holder} inside it holds more, so the sum counts it there."

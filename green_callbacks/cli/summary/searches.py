"""The searches among the runs of a summary."""

from collections.abc import Sequence
from typing import Final

from green_callbacks.analysis.searches.ledger_trials import LedgerTrial, searches_among
from green_callbacks.cli.summary.rows import Row
from green_callbacks.text import for_terminal

_MOST_SEARCHES: Final = 3
"""Largest number of searches that are written in full, so that a summary stays short. No unit, a choice."""


def lines_of_searches(rows: Sequence[Row]) -> list[str]:
    """Write what became of the trials of each search, or which searches there are if there are many.

    Args:
        rows: The runs. Runs that are no trials are left out.

    Returns:
        Lines of plain text, with an empty line before each search. Empty without a search of several trials.
    """
    searches = [each for each in searches_among(map(_trial, rows)) if len(each.trials) > 1]
    if len(searches) > _MOST_SEARCHES:
        names = ", ".join(for_terminal(each.study) for each in searches[:_MOST_SEARCHES])
        return ["", f"These are trials of {len(searches):,} searches, such as {names}. Name the folder of one of them."]
    return [line for each in searches for line in ("", str(each))]


def _trial(row: Row) -> LedgerTrial:
    entry, counted = row.run.entry, row.counted or row.closing
    return LedgerTrial(
        path=row.run.path,
        labels=entry.head.labels,
        kg=None if counted.energy_joules is None and counted.rows else counted.emissions_kg,
        is_closed=entry.is_closed,
        stop_reason=row.closing.stop_reason,
        value=row.best,
        rises=row.closing.mode == "max",
    )

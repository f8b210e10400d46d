"""All runs of a page that compares runs, with their totals and the budgets that several runs share.

A run counts once, however many ledgers hold it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import fsum
from pathlib import Path, PurePath
from typing import Any, Final

from green_callbacks.ledger import NestedRun, counted_in
from green_callbacks.ledger.overlaps.candidates import seeming_sharers
from green_callbacks.ledger.project_totals import several
from green_callbacks.page.amounts import energy_text, mass_text, share_text
from green_callbacks.page.row import MEASURED, NESTED, Row, empty_row, group_of, row_of, shown_row, unread_row
from green_callbacks.page.thinning import few_digits
from green_callbacks.records import WORLD
from green_callbacks.text import for_terminal

__all__ = ["empty_row", "group_of", "row_of", "runs_of", "shown_row", "unread_row"]

_MOST_SAID: Final = 10
"""Largest number of sentences about copies. More would push the picture off the screen."""

_UNITS: Final = {"limit_g": ("g", mass_text), "limit_kwh": ("facility_kwh", energy_text)}
"""Key of a row that counts against a limit, and how its amounts are written, by the key of the limit."""


def runs_of(
    rows: Iterable[Row],
    *,
    folder: str,
    read: int,
    of: int,
    said: Iterable[str] = (),
    source: str = "ledgers",
    written_at: datetime | None = None,
) -> dict[str, Any]:
    """Return all that the page shows of a folder at first.

    The bounds of all runs are the sums of their bounds. Runs share the grid and the kinds of sensors, so their errors
    do not cancel.

    Args:
        rows: Rows of the runs, in the order in which they are shown.
        folder: Name of the folder.
        read: Number of ledgers that are read.
        of: Number of ledgers.
        said: Sentences for the user. Defaults to none.
        source: ``ledgers``, or ``scalars`` where no ledger can be reached. Defaults to ``ledgers``.
        written_at: Time of a report, aware. Defaults to None, for a page that follows the folder.

    Returns:
        Plain JSON types. A run that several ledgers hold has one row.

    Example:
        >>> found = runs_of([], folder="logs", read=0, of=0)
        >>> found["totals"]["runs"], found["totals"]["g"], found["world"]
        (0, None, {'g_per_kwh': 458.3, 'year': 2025})
    """
    once, copies = _once(list(rows))
    once = _with_clear_metrics(once)
    within = _within(once)
    known = [row for row in once if row["state"] != "unread"]
    totals = _totals(len(once), _counted([row for row in known if row["g"] is not None], within))
    return {
        "folder": folder,
        "read": read,
        "of": of,
        "source": source,
        "said": [*said, *copies, *_left_out(known), *_several_times(_counted(known, within))],
        "written_at": None if written_at is None else written_at.isoformat(timespec="seconds"),
        "world": {"g_per_kwh": WORLD.g_per_kwh, "year": WORLD.year},
        "totals": totals,
        "texts": _texts(totals) | {"read": _read(len(once), read, of)},
        "metrics": _metrics(known),
        "budgets": _shared_budgets(known, within),
        "within": within,
        "runs": list(map(shown_row, once)),
    }


def _within(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Return for each run inside other runs the runs whose sums include it, all by their keys."""
    unknown = NestedRun("", (), "")
    held = counted_in([row.get(NESTED) or unknown for row in rows])
    return {row["key"]: [rows[at]["key"] for at in found] for row, found in zip(rows, held, strict=True) if found}


def _counted(rows: Sequence[Row], within: Mapping[str, Sequence[str]]) -> list[Row]:
    """Return the rows that a sum of these rows counts."""
    keys = {row["key"] for row in rows}
    return [row for row in rows if keys.isdisjoint(within.get(row["key"], ()))]


def _totals(runs: int, counted: Sequence[Row]) -> dict[str, Any]:
    """Return the totals of the runs with energy. Bounds are None if the bounds of one of them are not known."""
    return {
        "runs": runs,
        "g": _sum(row["g"] for row in counted),
        "low_g": _sum(row["low_g"] for row in counted),
        "high_g": _sum(row["high_g"] for row in counted),
        "kwh": _sum(row["facility_kwh"] for row in counted),
        "measured": _measured(counted),
    }


def _texts(totals: Mapping[str, Any]) -> dict[str, str]:
    """Return the totals as the page shows them, by the names of its elements."""
    low, high = mass_text(totals["low_g"]), mass_text(totals["high_g"])
    return {
        "runs": f"{totals['runs']:,}",
        "mass": mass_text(totals["g"]),
        "bounds": "" if totals["low_g"] is None else f" ({low} to {high})",
        "energy": energy_text(totals["kwh"]),
        "measured": share_text(totals["measured"]),
    }


def _read(runs: int, read: int, of: int) -> str:
    noun = "run" if runs == 1 else "runs"
    return f"{noun}, {read:,} of {of:,} read" if read < of else noun


def _with_clear_metrics(rows: Sequence[Row]) -> list[Row]:
    """Name the direction of a metric that is better as it falls in some runs, and as it rises in others."""
    kinds = {(row.get("metric"), row.get("mode")) for row in rows}
    unclear = {metric for metric, _ in kinds if metric is not None and {(metric, "min"), (metric, "max")} <= kinds}
    return [
        {**row, "metric": f"{row['metric']} ({row['mode']})"} if row.get("metric") in unclear else row for row in rows
    ]


def _metrics(known: Sequence[Row]) -> list[list[str]]:
    """Return name and label of each metric that has a picture, with the metric of most runs first."""
    counts = Counter(row["metric"] for row in known if row["front"]["g"])
    return [[name, f"{name} ({count:,})"] for name, count in counts.most_common()]


def _sum(values: Iterable[float | None]) -> float | None:
    """Return a sum. None without values, or if one of them is not known."""
    known = list(values)
    numbers = [value for value in known if value is not None]
    return few_digits(fsum(numbers)) if numbers and len(numbers) == len(known) else None


def _measured(counted: Sequence[Row]) -> float | None:
    """Return the measured share of the energy of all runs. None if the share of one of them is not known."""
    energy = fsum(row["kwh"] or 0.0 for row in counted)
    if not energy or any(map(_lacks_share, counted)):
        return None
    return few_digits(fsum((row["kwh"] or 0.0) * (row["measured"] or 0.0) for row in counted) / energy)


def _lacks_share(row: Row) -> bool:
    """Return whether there is energy of which the measured share is not known."""
    return bool(row["kwh"]) and row["measured"] is None


def _left_out(known: Sequence[Row]) -> list[str]:
    """Say which runs the totals leave out."""
    nothing, unknown = sum(row["g"] is None for row in known), sum(map(_lacks_share, known))
    said = []
    if nothing:
        said.append(f"{_count(nothing, known)} no known energy. Sums and charts leave out such runs.")
    if unknown:
        said.append(f"{_count(unknown, known)} a GPU that was not measured. So the measured share of all is not known.")
    return said


def _several_times(counted: Sequence[Row]) -> list[str]:
    """Say that sums count devices several times, because only the records could tell the part of each run."""
    sharers = seeming_sharers([run for row in counted if (run := row.get(MEASURED)) is not None])
    if not sharers:
        return []
    said = (
        f"{sharers} runs measured a device that another process measured at the same time. Sums on this page count it "
        "for each of them. `green-callbacks summary` counts it once."
    )
    return [said]


def _count(count: int, known: Sequence[Row]) -> str:
    of = len(known)
    return f"{count} of {of} {'run' if of == 1 else 'runs'} {'has' if count == 1 else 'have'}"


def _once(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Return each run once, with sentences about runs that several ledgers hold."""
    places: dict[str, list[int]] = {}
    for at, row in enumerate(rows):
        run_id = row.get("id")
        places.setdefault(f"id {run_id}" if run_id else f"key {row['key']}", []).append(at)
    kept, said = [], []
    for same in places.values():
        kept.append(same[0] if len(same) == 1 else max(same, key=lambda at: rows[at]["seconds"] or 0.0))
        if len(same) > 1:
            said.append(_copies([rows[at] for at in same]))
    more = [f"Several files hold each of {len(said) - _MOST_SAID} more runs."] if len(said) > _MOST_SAID else []
    return [rows[at] for at in sorted(kept)], [*said[:_MOST_SAID], *more]


def _copies(same: Sequence[Row]) -> str:
    text = several(same[0]["id"], [Path(row["path"]) for row in same])
    sums = {(row["epochs"], row["seconds"], row["facility_kwh"], row["g"]) for row in same}
    return text if len(sums) == 1 else f"{text} The files differ, so the file with the longest time counts."


def _shared_budgets(known: Sequence[Row], within: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Return each budget of a project, with the spending of all runs that share it. The newest run knows its limit."""
    limits: dict[tuple[str, str], float] = {}
    spent: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(known, key=lambda row: row["began_at"] or ""):
        found = {(each["project"], name): each[name] for each in row["shared"] for name in _UNITS if name in each}
        for budget, limit in found.items():
            limits[budget] = limit
            spent.setdefault(budget, []).append(row)
    names = _short_names({project for project, _ in limits})
    sums = {budget: _spent(_counted(rows, within), _UNITS[budget[1]][0]) for budget, rows in spent.items()}
    return [
        _budget(for_terminal(names[project]), name, sums[project, name], limit)
        for (project, name), limit in limits.items()
    ]


def _spent(rows: Sequence[Row], name: str) -> float | None:
    return few_digits(fsum(row[name] or 0.0 for row in rows))


def _budget(project: str, name: str, spent: float | None, limit: float) -> dict[str, Any]:
    text = _UNITS[name][1]
    return {"text": f"the budget of {project}: {text(spent)} of {text(limit)}", "value": spent, "max": limit}


def _short_names(projects: Iterable[str]) -> Mapping[str, str]:
    """Return the last folder of each project, or all of its path where two projects end alike."""
    short = {project: PurePath(project).name or project for project in projects}
    ends = list(short.values())
    return {project: end if ends.count(end) == 1 else project for project, end in short.items()}

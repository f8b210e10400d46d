"""The row of one run on a page that compares runs.

Masses are in g of CO2e and energies in kWh. Unknown values are None.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any, Final

from green_callbacks.ledger import NestedRun, Point, RunBudget
from green_callbacks.ledger.overlaps.candidates import MeasuredRun
from green_callbacks.ledger.overview import LedgerOverview
from green_callbacks.page.thinning import few_digits, places_on_front, points
from green_callbacks.records import Intensity
from green_callbacks.records.effort import NO_EFFORT
from green_callbacks.text import for_terminal
from green_callbacks.units import GRAMS_PER_KG, Quantity, joules_to_kwh

Row = dict[str, Any]
"""A row of the page, in plain JSON types."""

MEASURED: Final = "measured_run"
"""Key of the run as a sum must know it to see what it has measured together with others. Not for the page either."""

NESTED: Final = "nested"
"""Key of the run as a sum must know it. It is only for :func:`green_callbacks.page.rows.runs_of`, not for the page."""

MOST_POINTS: Final = 100
"""Largest number of points of a front in a row. More cannot be told apart among many runs."""

ALIVE: Final = timedelta(minutes=3)
"""Time since the last line up to which a run without an end counts as running. Three times the longest time between
two lines, which is the minute of a heartbeat.
"""

_MOST_SECONDS: Final = 250_000_000_000.0
"""The latest time that is told, in s since 1970. Dates end with the year 9999, and this is a little before."""

_IDENTITY: Final = ("key", "name", "group", "path", "state", "seen_at")
"""Keys of a row whose ledger is not read yet."""


def empty_row(*, name: str, key: str, path: str, seen_at: datetime | None, state: str = "unread") -> Row:
    """Return a row of which only the place is known. It has all keys.

    Args:
        name: Name of the run in TensorBoard.
        key: Key by which the page asks for the run.
        path: Path of the ledger, relative to the folder.
        seen_at: Time of the last write. None if unknown.
        state: ``unread``, or the state of a run that has no ledger. Defaults to ``unread``.

    Example:
        >>> row = empty_row(name="search/trial_1", key="a1", path="search/trial_1", seen_at=None)
        >>> row["group"], row["state"], row["g"], row["front"]
        ('search', 'unread', None, {'g': [], 'q': [], 'epoch': []})
    """
    numbers = ("best", "best_epoch", "g", "low_g", "high_g", "kwh", "facility_kwh", "joules_per_sample", "samples")
    more = ("measured", "pue", "g_per_kwh", "year", "limit_g", "limit_kwh", "notices")
    return {
        "key": key,
        "name": name,
        "group": group_of(name),
        "id": "",
        "path": path,
        "state": state,
        "seen_at": None if seen_at is None else seen_at.isoformat(timespec="seconds"),
        "began_at": None,
        "stop": None,
        "metric": None,
        "mode": "max",
        "epochs": 0,
        "seconds": 0.0,
        **dict.fromkeys((*numbers, *more)),
        **dict.fromkeys(("pue_source", "scope", "basis", "found_by", "host"), ""),
        "zone": None,
        "zone_name": None,
        "methods": [],
        "steady": True,
        "shared": [],
        "parent": None,
        NESTED: None,
        MEASURED: None,
        "front": {"g": [], "q": [], "epoch": []},
    }


def shown_row(row: Row) -> Row:
    """Return a row as the page gets it, in plain JSON types.

    Args:
        row: The row, with the run as a sum must know it.

    Example:
        >>> "nested" in shown_row(empty_row(name="a", key="a1", path="a", seen_at=None))
        False
    """
    return {name: value for name, value in row.items() if name not in {NESTED, MEASURED}}


def unread_row(*, name: str, key: str, path: str, seen_at: datetime | None) -> Row:
    """Return the short row of a ledger that is not read yet.

    Args:
        name: Name of the run in TensorBoard.
        key: Key by which the page asks for the run.
        path: Path of the ledger, relative to the folder.
        seen_at: Time of the last write. None if unknown.

    Example:
        >>> unread_row(name="trial_1", key="a1", path="trial_1/a.jsonl", seen_at=None)["state"]
        'unread'
    """
    row = empty_row(name=name, key=key, path=path, seen_at=seen_at)
    return {each: row[each] for each in _IDENTITY}


def group_of(name: str) -> str:
    """Return the group of a run, which is the parent folder of its name. Empty without one.

    Args:
        name: Name of the run in TensorBoard.

    Example:
        >>> group_of("search/lr/trial_1"), group_of("trial_1")
        ('search/lr', '')
    """
    return name.rstrip("/").rpartition("/")[0]


def moment(seconds: float) -> datetime:
    """Return a time, aware. A file system may tell any time, so a time that no date can hold becomes a near date.

    Args:
        seconds: The time, in s since 1970.

    Example:
        >>> moment(0.0).year, moment(-1e12).year, moment(1e12).year
        (1970, 1970, 9892)
    """
    return datetime.fromtimestamp(min(max(seconds, 0.0), _MOST_SECONDS) if isfinite(seconds) else 0.0, UTC)


def state_of(overview: LedgerOverview, seen_at: datetime, now: datetime) -> str:
    """Return whether a run is ``closed``, ``running`` or ``killed``. A run that was suspended looks like a killed run.

    So does a run whose last write is far in the future, because a wrong clock does not tell whether it is alive.

    Args:
        overview: The run.
        seen_at: Time of the last write.
        now: The present time.
    """
    if overview.is_closed:
        return "closed"
    return "running" if abs(now - seen_at) <= ALIVE else "killed"


def row_of(
    overview: LedgerOverview,
    *,
    name: str,
    key: str,
    path: str,
    seen_at: datetime,
    now: datetime,
    most: int = MOST_POINTS,
) -> Row:
    """Return the row of a run.

    Only the state depends on the present time. So the row of a closed run can be kept.

    Args:
        overview: The run.
        name: Name of the run in TensorBoard, else its path.
        key: Key by which the page asks for the run.
        path: Path of the ledger, relative to the folder.
        seen_at: Time of the last write, aware.
        now: The present time, aware.
        most: Largest number of points of the front. Defaults to 100.

    Example:
        >>> from pathlib import Path
        >>> from green_callbacks import EpochRecord, History
        >>> from green_callbacks.ledger import Head, closing_of
        >>> from green_callbacks.records import Plan
        >>> history = History([EpochRecord.scripted(epoch=0, emissions_kg=0.5, metrics={"val_acc": 0.9})])
        >>> closing = closing_of("digits", history, monitor=None, mode="max")
        >>> head = Head(run_id="digits", version="0.1.0")
        >>> found = LedgerOverview(path=Path("a.jsonl"), head=head, closing=closing, is_closed=True, plan=Plan())
        >>> time = datetime(2026, 1, 1, tzinfo=UTC)
        >>> row = row_of(found, name="digits", key="a1", path="a.jsonl", seen_at=time, now=time)
        >>> row["g"], row["best"], row["state"]
        (500.0, 0.9, 'closed')
    """
    state = state_of(overview, seen_at, now)
    stop = f"No sign of life since {seen_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC." if state == "killed" else None
    return empty_row(name=name, key=key, path=path, seen_at=seen_at, state=state) | {
        **_about(overview),
        "stop": stop or _reason(overview),
        **_best(overview.closing.front),
        **_energy(overview),
        **_place(overview.intensity),
        **_limits(overview.head.budgets),
        **_front(overview, most),
    }


def _about(overview: LedgerOverview) -> Row:
    closing, head, began = overview.closing, overview.head, overview.began_at
    return {
        "id": closing.run_id or head.run_id,
        "began_at": None if began is None else began.isoformat(timespec="seconds"),
        "metric": closing.monitor,
        "mode": closing.mode,
        "epochs": closing.epochs,
        "seconds": few_digits(closing.duration_seconds),
        "samples": closing.samples,
        "pue": few_digits(overview.pue),
        "pue_source": for_terminal(head.pue_source),
        "methods": sorted(set(overview.methods.values())),
        "host": for_terminal(head.host),
        "parent": head.parent,
        NESTED: NestedRun.of(
            replace(head, run_id=closing.run_id or head.run_id),
            list(overview.components),
            closing.facility_kwh,
            closing.duration_seconds,
            is_closed=overview.is_closed,
        ),
        MEASURED: MeasuredRun.of(overview.path, closing, head),
        "steady": overview.is_steady,
        "notices": None if overview.is_quick else len(overview.notices),
    }


def _reason(overview: LedgerOverview) -> str | None:
    reason = overview.closing.stop_reason
    return None if reason is None else for_terminal(reason)


def _best(front: Sequence[Point]) -> Row:
    last = front[-1] if front else None
    return {} if last is None else {"best": few_digits(last.value), "best_epoch": last.epoch}


def _energy(overview: LedgerOverview) -> Row:
    """Return the totals. Empty if nothing was measured, because a sum of nothing is no measurement."""
    closing = overview.closing
    if closing.energy_joules is None:
        return {}
    kg = {"g": closing.emissions_kg, "low_g": closing.emissions_low_kg, "high_g": closing.emissions_high_kg}
    each = (closing.effort or NO_EFFORT).joules_per_sample
    return {
        **{name: None if value is None else few_digits(value * GRAMS_PER_KG) for name, value in kg.items()},
        "kwh": few_digits(joules_to_kwh(closing.energy_joules)),
        "facility_kwh": few_digits(closing.facility_kwh),
        "measured": few_digits(closing.measured_share),
        "joules_per_sample": None if each is None else few_digits(each.value),
    }


def _place(intensity: Intensity | None) -> Row:
    if intensity is None:
        return {}
    return {
        "g_per_kwh": few_digits(intensity.g_per_kwh),
        "zone": intensity.zone,
        "zone_name": None if intensity.name is None else for_terminal(intensity.name),
        "year": intensity.year,
        "scope": intensity.scope or "",
        "basis": intensity.basis or "",
        "found_by": intensity.found_by,
    }


def _limits(budgets: Sequence[RunBudget]) -> Row:
    """Return the tightest budget of the run alone, in g and in kWh, and the budgets of its projects."""
    own: dict[Quantity, float] = {}
    shared = []
    for budget in budgets:
        quantity, value = budget.limit.quantity, budget.limit.value
        if budget.project is None:
            own[quantity] = min(value, own.get(quantity, value))
        else:
            shared.append({"project": budget.project, **_limit(quantity, value)})
    return {"shared": shared} | {name: limit for pair in own.items() for name, limit in _limit(*pair).items()}


def _limit(quantity: Quantity, value: float) -> Row:
    if quantity == "facility_kwh":
        return {"limit_kwh": few_digits(value)}
    return {"limit_g": few_digits(value * GRAMS_PER_KG)}


def _front(overview: LedgerOverview, most: int) -> Row:
    """Return the front. Empty without energy, because there is nothing to draw it against."""
    front = overview.closing.front
    if overview.closing.energy_joules is None:
        return {}
    best = places_on_front([point.value or 0.0 for point in front], most)
    kwh = [overview.front_kwh[at] for at in best if not overview.is_steady]
    return {"front": _chart([front[at] for at in best], kwh)}


def _chart(chosen: Sequence[Point], kwh: Sequence[float]) -> Row:
    chart: Row = {
        "g": points((point.kg for point in chosen), GRAMS_PER_KG),
        "q": points(point.value for point in chosen),
        "epoch": [point.epoch for point in chosen],
    }
    return chart | {"kwh": points(kwh)} if kwh else chart

"""The first lines of a summary of many runs, fit for a report."""

from contextlib import suppress
from datetime import datetime
from typing import Final

from green_callbacks.carbon import equivalences
from green_callbacks.cli.summary.rows import Sums
from green_callbacks.records.reference import AT_THE_WORLDS
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.text.layout import labeled
from green_callbacks.text.wording import percent, significant

_LABEL_WIDTH: Final = 12
"""Width of the column of labels, in characters."""


def heading(sums: Sums, since: datetime | None) -> str:
    """Write what runs came to.

    Args:
        sums: Their sums.
        since: The time from which runs count. None for all runs.

    Returns:
        Lines of plain text.
    """
    lines = {
        "Runs": _runs(sums),
        "Period": _period(sums, since),
        "Energy": _energy(sums),
        "Emissions": _emissions(sums),
        "Reference": "" if sums.reference_kg is None else f"{format_mass(sums.reference_kg)} CO2e {AT_THE_WORLDS}",
        "As much as": _as_much_as(sums.emissions_kg),
    }
    return "\n".join(labeled(label, text, label_width=_LABEL_WIDTH) for label, text in lines.items() if text)


def _runs(sums: Sums) -> str:
    inside = f", with {sums.inside:,} inside them" if sums.inside else ""
    if not sums.unfinished:
        return f"{sums.runs:,}{inside}"
    said = "was killed or still runs" if sums.unfinished == 1 else "were killed or still run"
    return f"{sums.runs:,}{inside}, of which {sums.unfinished:,} {said}"


def _period(sums: Sums, since: datetime | None) -> str:
    if sums.began_at is None or sums.ended_at is None:
        return "not known, because no run has a record"
    counted = "" if since is None else f", all runs that ended since {_local(since)}"
    return f"{_local(sums.began_at)} to {_local(sums.ended_at)}{counted}"


def _local(when: datetime) -> str:
    """Return a time in the time zone of this machine, with its difference to UTC."""
    with suppress(OverflowError, OSError):  # a forged ledger may begin in the year 1
        when = when.astimezone()
    offset = f"{when:%z}"
    difference = f"{offset[:3]}:{offset[3:5]}" if when.utcoffset() else ""
    return f"{when:%Y-%m-%d %H:%M} UTC{difference}"


def _energy(sums: Sums) -> str:
    if sums.facility_kwh is None or sums.energy_kwh is None:
        return "not measured"
    whole = f"{format_energy(sums.facility_kwh)} with PUE, {format_energy(sums.energy_kwh)} at the computers"
    runs = "1 run has" if sums.unmeasured == 1 else f"{sums.unmeasured:,} runs have"
    nothing = f". {runs} no energy." if sums.unmeasured else ""
    if sums.measured_share is None:
        return f"{whole}, of which an unknown share was measured{nothing}"
    return f"{whole}, of which {percent(sums.measured_share)} was measured{nothing}"


def _emissions(sums: Sums) -> str:
    if sums.emissions_kg is None:
        return ""
    low, high = sums.low_kg, sums.high_kg
    bounds = "" if low is None or high is None else f" (between {format_mass(low)} and {format_mass(high)})"
    return f"{format_mass(sums.emissions_kg)} CO2e{bounds}, location-based, {_scope(sums)}"


def _scope(sums: Sums) -> str:
    named = [scope or "unknown" for scope in sums.scopes]
    if len(named) == 1:
        return f"{named[0]} scope"
    return f"of different scopes ({', '.join(sorted(named))})"


def _as_much_as(emissions_kg: float | None) -> str:
    if not emissions_kg:
        return ""
    return "".join(
        f"{significant(each.amount)} {each.unit}, {each.what}, {each.year}, {each.note} ({each.source})"
        for each in equivalences(emissions_kg)[:1]
    )

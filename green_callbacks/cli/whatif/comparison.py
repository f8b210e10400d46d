"""The same run elsewhere, in words and tables."""

from collections.abc import Sequence
from typing import Final

from green_callbacks.analysis.ledger_run import LedgerRun
from green_callbacks.carbon import equivalences
from green_callbacks.carbon.pue import EFFICIENT_PUE
from green_callbacks.carbon.tables import has_tables
from green_callbacks.carbon.tables import missing as lacking
from green_callbacks.cli.whatif.other_places import AVERAGE_PUE, Spent
from green_callbacks.records import Intensity
from green_callbacks.records.coverage import what_counts
from green_callbacks.records.reference import AT_THE_WORLDS, reference_kg
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.text.layout import UNKNOWN, aligned, labeled
from green_callbacks.text.wording import intensity_range, place, significant

_LABEL_WIDTH: Final = 12
"""Width of the column of labels, in characters."""

_NAME_WIDTH: Final = 35
"""Longest name of a place in a table, in characters."""

_AS_MUCH: Final = 0.005
"""Largest relative difference that counts as none, as a ratio."""

_RANGE_NOTE: Final = (
    "range is the spread of the figure over five years. For the world, nine countries in ten lie within it."
)
_PUE_NOTE: Final = (
    f"An efficient data center has a PUE of {significant(EFFICIENT_PUE)}. The average in 2019 was "
    f"{significant(AVERAGE_PUE)} (Uptime Institute)."
)
_UNLIKE: Final = "* has another scope than the run's own figure, so the factor is only a hint."


def overview(run: LedgerRun, spent: Spent, there: Sequence[Intensity]) -> str:
    """Write the emissions of a run, their equivalents, and the range of emissions elsewhere.

    Args:
        run: The run.
        spent: Energy and intensity of the run.
        there: Places to compare with.

    Returns:
        Lines of plain text.
    """
    totals, here = run.totals, spent.intensity
    emitted = totals.emissions_kg or 0.0
    low, high = totals.emissions_low_kg, totals.emissions_high_kg
    bounds = "" if low is None or high is None else f" (between {format_mass(low)} and {format_mass(high)})"
    lines = {
        "Run": f"{run.run_id} with {format_energy(spent.energy_kwh)} at the computers, "
        f"{format_energy(spent.facility_kwh)} with a PUE of {significant(spent.pue)}",
        "Emitted": f"{format_mass(emitted)} CO2e{bounds}, at {intensity_range(here)}, {place(here)}",
        "Reference": f"{format_mass(reference_kg(spent.facility_kwh))} CO2e {AT_THE_WORLDS}",
        "As much as": "; ".join(
            f"{significant(each.amount)} {each.unit}, {each.what}, {each.year}, {each.note} ({each.source})"
            for each in equivalences(emitted)
        ),
        "Elsewhere": _extremes(spent, there),
        "Facility": f"a factor of {significant(AVERAGE_PUE / EFFICIENT_PUE)} between a PUE of "
        f"{significant(AVERAGE_PUE)} and {significant(EFFICIENT_PUE)}",
    }
    left_out = what_counts(totals.devices)
    if left_out is not None:
        lines = {"Left out": left_out, **lines}
    return "\n".join(labeled(label, text, label_width=_LABEL_WIDTH) for label, text in lines.items() if text)


def _extremes(spent: Spent, there: Sequence[Intensity]) -> str:
    alike = [intensity for intensity in there if spent.counted_alike(intensity)]
    if not alike or spent.intensity.g_per_kwh <= 0:
        return "not known, because no figure here has the scope of the run's own figure"
    cleanest, dirtiest = alike[0], alike[-1]
    least, most = (f"{factor(spent, each)} ({place(each)})" for each in (cleanest, dirtiest))
    return least if cleanest is dirtiest else f"from {least} to {most}"


def factor(spent: Spent, there: Intensity) -> str:
    """Write how much less or more a run would emit in another place, at the same PUE.

    Args:
        spent: Energy and intensity of the run.
        there: Carbon intensity of the other place.

    Returns:
        For example ``8.0x less``, or ``-`` if either place emits nothing.
    """
    here_g, there_g = spent.intensity.g_per_kwh, there.g_per_kwh
    if here_g <= 0 or there_g <= 0:
        return UNKNOWN
    ratio = there_g / here_g
    if abs(ratio - 1) < _AS_MUCH:
        return "as much"
    return f"{_two_digits(ratio)}x more" if ratio > 1 else f"{_two_digits(1 / ratio)}x less"


def _two_digits(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:#.3g}" if ratio < 2 else f"{ratio:.1f}"  # noqa: PLR2004


def comparison(spent: Spent, there: Sequence[Intensity]) -> str:
    """Write a run in several places or years as a table, with the run's own place first.

    Args:
        spent: Energy and intensity of the run.
        there: Carbon intensities to compare with.

    Returns:
        Lines of plain text.
    """
    own, *others = spent.pues
    head = ["factor", "place", "year", "g/kWh", "range", f"PUE {significant(own)}"]
    head += [f"PUE {significant(pue)}" for pue in others] + ["counts"]
    rows = [_row("here", spent, spent.intensity), *(_row(factor(spent, each), spent, each) for each in there)]
    return aligned([head, *rows], left=(0, 1, len(head) - 1))


def _row(first: str, spent: Spent, there: Intensity) -> list[str]:
    low, high = there.low_g_per_kwh, there.high_g_per_kwh
    return [
        first,
        _name(there),
        UNKNOWN if there.year is None else str(there.year),
        significant(there.g_per_kwh),
        UNKNOWN if low is None or high is None else f"{significant(low)} to {significant(high)}",
        *(format_mass(spent.emissions_kg(there, pue)) for pue in spent.pues),
        counts(spent, there),
    ]


def _name(there: Intensity) -> str:
    named = there.name or there.zone or "not named"
    code = f" ({there.zone})" if there.zone and there.zone != named else ""
    room = _NAME_WIDTH - len(code)
    return f"{named if len(named) <= room else named[: room - 3] + '...'}{code}"


def counts(spent: Spent, there: Intensity) -> str:
    """Write the scope of a figure, with a star if the run's own figure has another scope.

    Args:
        spent: Energy and intensity of the run.
        there: The figure.
    """
    scope = "direct only" if there.scope == "direct" else there.scope or "not known"
    return scope if there is spent.intensity or spent.counted_alike(there) else f"{scope} *"


def notes(spent: Spent, there: Sequence[Intensity], missing: Sequence[str]) -> str:
    """Write the notes below the tables.

    Args:
        spent: Energy and intensity of the run.
        there: All figures of the tables.
        missing: Places that were left out.

    Returns:
        Lines of plain text.
    """
    lines = [_RANGE_NOTE, _PUE_NOTE]
    if not all(map(spent.counted_alike, there)):
        lines.append(_UNLIKE)
    if not has_tables():
        lines.append(lacking("zones.csv"))
    if missing:
        lines.append(f"That year has no figure for {for_terminal(', '.join(missing))}.")
    return "\n".join(lines)

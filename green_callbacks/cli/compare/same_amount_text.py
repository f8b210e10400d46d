"""Groups of runs at the same spending, as a table with sentences."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from green_callbacks.analysis.comparing.equal_spending import Contrast, GroupAt
from green_callbacks.analysis.comparing.quality_curve import TOLERANCE, Axis
from green_callbacks.analysis.comparing.same_amount import SameAmount
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.text.layout import UNKNOWN, aligned, labeled
from green_callbacks.text.wording import duration, percent, significant

_WRITTEN: Final[Mapping[Axis, Callable[[float], str]]] = {
    "energy": format_energy,
    "emissions": lambda kg: f"{format_mass(kg)} CO2e",
    "time": duration,
}
"""How an amount is written, by what the runs spend."""

_DIGITS: Final = 4
"""Significant digits of a metric."""

_LABEL_WIDTH: Final = 9
"""Width of the column of labels, in characters."""

_LONGEST_NAME: Final = 60
"""Longest name of a group, in characters. It leaves room for the figures of its row."""

_MOST_NAMED: Final = 3
"""Largest number of runs that a sentence names, by convention."""

_NOTICED: Final = 0.001
"""Ratio by which the total of a run must differ from the amount before a sentence says so. By convention."""


def written_amount(axis: Axis, amount: float) -> str:
    """Write what a run spends.

    Args:
        axis: What the run spends.
        amount: The amount, in kWh, kgCO2e or s.
    """
    return _WRITTEN[axis](amount)


def same_amount_text(found: SameAmount) -> str:
    """Write the table of the groups, with sentences that say what it shows and what it leaves open.

    Args:
        found: The comparison.
    """
    chosen = "" if found.is_given else ", the smallest median total of a group"
    heading = f"At the same {found.axis}, {written_amount(found.axis, found.amount)}{chosen}"
    said = [labeled(label, *lines, label_width=_LABEL_WIDTH) for label, lines in _blocks(found).items() if lines]
    return "\n".join([heading, "", _table(found), "", *said])


def _table(found: SameAmount) -> str:
    named = for_terminal(found.metric.name, limit=_LONGEST_NAME)
    heads = ["group", "runs", f"{named}, mean", "95 % interval", "of its run"]
    rows = [
        [
            name_of(each) + (" (reference)" if each.group.is_reference else ""),
            f"{len(each.values)} of {len(each.group.curves)}",
            UNKNOWN if each.mean is None else _value(each.mean.value),
            UNKNOWN if each.mean is None else _range(each.mean.low, each.mean.high),
            UNKNOWN if each.share is None else percent(each.share),
        ]
        for each in found.groups
    ]
    return aligned([heads, *rows])


def name_of(group: GroupAt) -> str:
    """Return the name of a group, safe to print.

    Args:
        group: The group.
    """
    return for_terminal(group.group.name, limit=_LONGEST_NAME)


def _value(value: float) -> str:
    return significant(value, _DIGITS)


def _range(low: float | None, high: float | None) -> str:
    return UNKNOWN if low is None or high is None else f"{_value(low)} to {_value(high)}"


def sentences(found: SameAmount) -> list[str]:
    """Return what the comparison shows, and then what it leaves open, as sentences.

    Args:
        found: The comparison.
    """
    return [line for lines in _blocks(found).values() for line in lines]


def _blocks(found: SameAmount) -> dict[str, list[str]]:
    """Return the sentences by their subject."""
    return {
        "Result": [
            *(_judgment(found, each) for each in found.contrasts),
            *_without_contrast(found),
            *_without_reference(found),
        ],
        "Plans": [said for each in found.groups for said in _inside(found, each)],
        "Unlike": [*found.unlike],
        "Runs": [said for each in found.groups for said in (*_left_out(found, each), *_open_ended(found, each))],
        "Note": [_which_value(found)],
    }


def _judgment(found: SameAmount, each: Contrast) -> str:
    ours, theirs = name_of(each.ours), name_of(each.theirs)
    if each.difference.low is None or each.difference.high is None:
        return f"{_means(found, each)} {_WHY[each.difference.why]}"
    if each.verdict == "open":
        named = for_terminal(found.metric.name, limit=_LONGEST_NAME)
        return f"{_open(each)} The {named} of {ours} less that of {theirs} is {_signed(each)}."
    better, worse = (each.ours, each.theirs) if each.verdict == "beats" else (each.theirs, each.ours)
    told = f"{name_of(better)} beats {name_of(worse)} at the same {found.axis}, by {_size(found, each)}."
    if worse.is_unfinished and not better.is_unfinished:
        return f"{told} {_unfair(worse)}"
    return f"{told} This reference pays more than {ours}." if better.group.is_reference else told


def _unfair(group: GroupAt) -> str:
    return f"This is unfair to {name_of(group)}, which is read before its plan ended."


_WHY: Final = {
    "few": "One run on a side tells nothing of chance. Add runs with other seeds.",
    "large": "Values of this size have no interval.",
    "equal": "Runs without any spread tell nothing of chance. Add runs with other seeds.",
}


def _means(found: SameAmount, each: Contrast) -> str:
    named = for_terminal(found.metric.name, limit=_LONGEST_NAME)
    return f"The {named} of {name_of(each.ours)} less that of {name_of(each.theirs)} is {each.difference.value:+.3g}."


def _open(each: Contrast) -> str:
    ours, theirs = name_of(each.ours), name_of(each.theirs)
    if each.theirs.group.is_reference:
        vain = "As far as these runs tell, training for less does as well."
        return f"{ours} is not shown to beat {theirs}. {_unfair(each.ours) if each.ours.is_unfinished else vain}"
    return f"No difference between {ours} and {theirs} is shown."


def _signed(each: Contrast) -> str:
    found = each.difference
    return f"{found.value:+.3g} (95 %: {found.low:+.3g} to {found.high:+.3g}; {_runs(each)})"


def _size(found: SameAmount, each: Contrast) -> str:
    low, high = sorted(abs(end) for end in (each.difference.low, each.difference.high) if end is not None)
    size = f"{_plain(abs(each.difference.value))} of {for_terminal(found.metric.name, limit=_LONGEST_NAME)}"
    return f"{size} (95 %: {_plain(low)} to {_plain(high)}; {_runs(each)})"


def _plain(value: float) -> str:
    return significant(value) if value >= 1 else f"{value:.3g}"


def _runs(each: Contrast) -> str:
    ours, theirs = len(each.ours.values), len(each.theirs.values)
    return f"{ours} pairs with the same seed" if each.difference.is_paired else f"{ours} against {theirs} runs"


def _without_contrast(found: SameAmount) -> Iterator[str]:
    if not found.contrasts:
        amount = written_amount(found.axis, found.amount)
        yield f"Fewer than two groups have a value at {amount}, so nothing is compared. Name another amount with --at."


def _without_reference(found: SameAmount) -> Iterator[str]:
    if not found.has_reference:
        yield (
            "No row of reference was given, so no group is shown to beat the same training by fewer epochs. Name runs "
            "of fewer epochs with --reference."
        )


def _left_out(found: SameAmount, each: GroupAt) -> Iterator[str]:
    amount, name, count = written_amount(found.axis, found.amount), name_of(each), len(each.group.curves)
    if each.short:
        rest = f" The rest may flatter {name}." if each.values else ""
        yield (
            f"{len(each.short)} of {count} runs of {name} spent less than {amount} and do not count "
            f"({_named([curve.run_id for curve in each.short])}), because nothing is extrapolated.{rest}"
            f"{_remedy(found, each)}"
        )
    if each.unknown:
        yield (
            f"{len(each.unknown)} of {count} runs of {name} had no {for_terminal(found.metric.name)} by then, or no "
            f"measured {found.axis}, and do not count ({_named(each.unknown)})."
        )


def _open_ended(found: SameAmount, each: GroupAt) -> Iterator[str]:
    """Say which runs count as whole though they did not come to their end."""
    cut = [curve.run_id for curve in each.counted if not curve.is_closed and curve.ends_by(found.amount)]
    if cut:
        yield (
            f"{len(cut)} of {len(each.group.curves)} runs of {name_of(each)} were killed or are still running, and "
            f"count with what they have ({_named(cut)})."
        )
    diverged = [curve.run_id for curve in each.counted if curve.ends_in_none and curve.ends_by(found.amount)]
    if diverged:
        yield (
            f"{len(diverged)} of {len(each.group.curves)} runs of {name_of(each)} had a last "
            f"{for_terminal(found.metric.name)} that is no number, and count with the best value before "
            f"({_named(diverged)})."
        )


def _remedy(found: SameAmount, each: GroupAt) -> str:
    """Return the amount at which all runs of a group count. A time cannot be given as an amount."""
    least = min(curve.total or 0.0 for curve in each.short)
    if found.axis == "time" or not least:
        return ""
    return f' All of them count with --at "{format_energy(least) if found.axis == "energy" else format_mass(least)}".'


def _named(run_ids: Sequence[str]) -> str:
    shown = [for_terminal(each, limit=_LONGEST_NAME) for each in run_ids[:_MOST_NAMED]]
    more = len(run_ids) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _inside(found: SameAmount, each: GroupAt) -> Iterator[str]:
    if each.share is None or each.share >= 1:
        return
    name = name_of(each)
    began = f"{name} is read at {percent(each.share)} of its spending"
    amount = written_amount(found.axis, found.amount)
    if each.is_unfinished:
        yield f"{began}, while its learning rate was still to fall. A plan of {name} for {amount} may reach more."
    else:
        yield f"{began}. A plan of {name} for {amount} may reach another value."


def _which_value(found: SameAmount) -> str:
    counts = "best value until then" if found.kept == "best" else "last value until then"
    ended = [curve for each in found.groups for curve in each.counted if curve.ends_by(found.amount)]
    differ = any(abs((curve.total or 0.0) / found.amount - 1) > _NOTICED for curve in ended)
    whole = f" A run whose total is within {percent(TOLERANCE)} of the amount counts as a whole." if differ else ""
    energy = " Energy is that of the computers, without the PUE." if found.axis == "energy" else ""
    return f"A run counts with its {counts}.{whole}{energy}"

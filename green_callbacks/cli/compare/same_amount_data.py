"""Groups of runs at the same spending, for other programs."""

from collections.abc import Mapping
from typing import Any, Final

from green_callbacks.analysis.comparing.equal_spending import Contrast, GroupAt
from green_callbacks.analysis.comparing.quality_curve import TOLERANCE, Axis
from green_callbacks.analysis.comparing.same_amount import SameAmount
from green_callbacks.cli.compare.same_amount_text import sentences

_UNITS: Final[Mapping[Axis, str]] = {"energy": "kWh", "emissions": "kgCO2e", "time": "s"}


def same_amount_data(found: SameAmount) -> dict[str, Any]:
    """Return the comparison in plain JSON types. Unknown values are left out.

    Args:
        found: The comparison.
    """
    return {
        "of": found.axis,
        "unit": _UNITS[found.axis],
        "amount": found.amount,
        "amount_from": "argument" if found.is_given else "smallest median total of a group",
        "tolerance": TOLERANCE,
        "metric": found.metric.name,
        "mode": found.metric.mode,
        "value": found.kept,
        "has_reference": found.has_reference,
        "groups": [_group(each) for each in found.groups],
        "differences": [_difference(each) for each in found.contrasts],
        "sentences": sentences(found),
    }


def _group(each: GroupAt) -> dict[str, Any]:
    mean = {} if each.mean is None else {"mean": each.mean.value, "low": each.mean.low, "high": each.mean.high}
    return _known(
        {
            "name": each.group.name,
            "is_reference": each.group.is_reference,
            "runs": len(each.group.curves),
            "counted": {curve.run_id: value for curve, value in zip(each.counted, each.values, strict=True)},
            "spent_less": [curve.run_id for curve in each.short],
            "without_value": list(each.unknown),
            "share_of_run": each.share,
            "learning_rate_still_to_fall": each.is_unfinished,
            **mean,
        }
    )


def _difference(each: Contrast) -> dict[str, Any]:
    found = each.difference
    return _known(
        {
            "group": each.ours.group.name,
            "against": each.theirs.group.name,
            "is_reference": each.theirs.group.is_reference,
            "verdict": each.verdict,
            "difference": found.value,
            "low": found.low,
            "high": found.high,
            "is_paired": found.is_paired,
            "no_interval_because": found.why or None,
        }
    )


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}

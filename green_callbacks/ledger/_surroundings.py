"""The carbon intensity of a whole run."""

from dataclasses import replace
from typing import Any, Final

from green_callbacks.records import History, Intensity

_PLACE_FIELDS: Final = ("zone", "name", "year", "scope", "basis", "licence")
"""Fields of an intensity that hold for a run only if all its records agree."""


def mean_intensity_of(history: History) -> Intensity | None:
    """Return the carbon intensity of a run, its mean by energy if it changed.

    Args:
        history: All records.

    Returns:
        The intensity. Fields on which the records do not agree are None, and all sources and flags are listed. None
        without a record.
    """
    if not history:
        return None
    last = history[-1].intensity
    if history.has_one_intensity:
        return last
    kwh_by_intensity = history.facility_kwh_by_intensity()
    found = list(kwh_by_intensity)
    fields: dict[str, Any] = {**_agreed(found), **_means(kwh_by_intensity, last)}
    return replace(last, **fields)


def _agreed(found: list[Intensity]) -> dict[str, Any]:
    known = {name: {getattr(each, name) for each in found} for name in _PLACE_FIELDS}
    fields: dict[str, Any] = {name: values.pop() if len(values) == 1 else None for name, values in known.items()}
    sources = dict.fromkeys(each.source for each in found)
    return {
        **fields,
        "source": " and ".join(sources),
        "flags": tuple(dict.fromkeys(flag for each in found for flag in each.flags)),
    }


def _means(kwh_by_intensity: dict[Intensity, float], last: Intensity) -> dict[str, float | None]:
    total_kwh = sum(kwh_by_intensity.values())
    numbers = {"g_per_kwh": "g_per_kwh", "low_g_per_kwh": "lowest_g_per_kwh", "high_g_per_kwh": "highest_g_per_kwh"}
    if total_kwh <= 0:
        return {name: getattr(last, name) for name in numbers}
    if len({tuple(getattr(each, name) for name in numbers) for each in kwh_by_intensity}) == 1:
        return {}  # only words changed, so rounding must not change the numbers
    return {
        name: sum(getattr(each, number) * kwh for each, kwh in kwh_by_intensity.items()) / total_kwh
        for name, number in numbers.items()
    }

"""The carbon intensity and the PUE that represent a whole run in which they changed."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, TypeVar

from green_callbacks.records import History, Intensity
from green_callbacks.units import joules_to_kwh

_T = TypeVar("_T")

_UNNAMED: Final = "a place that was not named"
_PUE_DECIMALS: Final = 9
"""Decimals that survive the rounding errors of sums over records, so that a constant PUE stays as it was given."""


def effective_intensity(history: History) -> Intensity | None:
    """Return the mean carbon intensity of a run, weighted by the energy of the facility.

    Its product with the run's facility energy is the sum of the emissions of all records.

    Args:
        history: All records.

    Returns:
        The intensity, if the run had only one. Otherwise the mean, with the names and sources of all intensities. The
        mean has a zone, year, scope or basis only where all intensities agree on it. None without records.

    Example:
        >>> from green_callbacks import EpochRecord, History
        >>> history = History([EpochRecord.scripted(epoch=0, emissions_kg=0.1)])
        >>> effective_intensity(history).g_per_kwh
        1000.0
    """
    weights = history.facility_kwh_by_intensity()
    used = [intensity for intensity, kwh in weights.items() if kwh > 0] or list(weights)[-1:]
    if len(used) < 2:  # noqa: PLR2004  nothing to take a mean of
        return used[0] if used else None
    return replace(
        used[-1],
        g_per_kwh=sum(i.g_per_kwh * weights[i] for i in used) / sum(weights[i] for i in used),
        low_g_per_kwh=_mean(used, weights, lambda i: i.low_g_per_kwh),
        high_g_per_kwh=_mean(used, weights, lambda i: i.high_g_per_kwh),
        zone=_common(i.zone for i in used),
        name=_joined((i.name or i.zone or _UNNAMED for i in used), ", "),
        year=_common(i.year for i in used),
        scope=_common(i.scope for i in used),
        basis=_common(i.basis for i in used),
        source=_joined((i.source for i in used), "; "),
        licence=_joined((i.licence or "not known" for i in used), "; "),
        flags=tuple(dict.fromkeys(flag for i in used for flag in i.flags)),
    )


def effective_pue(history: History) -> float | None:
    """Return the PUE of a run, which is the energy of the facility divided by the energy of the computers.

    Args:
        history: All records.

    Returns:
        The ratio. If no energy was used, the PUE of the last record. None without records.

    Example:
        >>> from green_callbacks import EpochRecord, History
        >>> effective_pue(History([EpochRecord.scripted(epoch=0, emissions_kg=0.1)]))
        1.0
    """
    energy_kwh = joules_to_kwh(history.energy_joules or 0.0)
    if energy_kwh:
        return round(history.facility_kwh / energy_kwh, _PUE_DECIMALS)
    return history[-1].pue if history else None


def _mean(
    used: list[Intensity], weights: dict[Intensity, float], bound: Callable[[Intensity], float | None]
) -> float | None:
    bounds = [(value, weights[i]) for i in used if (value := bound(i)) is not None]
    if len(bounds) < len(used):
        return None
    return sum(value * kwh for value, kwh in bounds) / sum(kwh for _, kwh in bounds)


def _common(values: Iterable[_T]) -> _T | None:
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def _joined(values: Iterable[str], mark: str) -> str:
    return mark.join(dict.fromkeys(values))

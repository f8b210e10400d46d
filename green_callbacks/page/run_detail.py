"""One run by its epochs, with the facts by which people judge its numbers.

Masses are in g of CO2e and energies in kWh. Unknown values are None.
"""

from collections.abc import Sequence
from math import isfinite
from typing import Any, Final

from green_callbacks.analysis import totals
from green_callbacks.ledger import LedgerContents, Point
from green_callbacks.ledger.closing_points import curve
from green_callbacks.metrics import metric_of_run
from green_callbacks.page.epoch_sums import EpochSums
from green_callbacks.page.facts import facts_of
from green_callbacks.page.thinning import buckets, few_digits, points
from green_callbacks.records import History
from green_callbacks.units import GRAMS_PER_KG, JOULES_PER_KWH

MOST_BUCKETS: Final = 1_000
"""Largest number of points by default. A wide screen has about as many columns of dots for a chart."""


def run_of(contents: LedgerContents, key: str, *, most: int = MOST_BUCKETS) -> dict[str, Any]:
    """Return a run by its epochs.

    Each point is the mean of as many epochs. The sum of all points, with their numbers of epochs, and of ``outside_g``
    is the total of the run. Outside are set-up, tests, repeated epochs and epochs that were cut short.

    Args:
        contents: The ledger of the run.
        key: Key by which the page asked for the run.
        most: Largest number of points. Defaults to 1000.

    Returns:
        Plain JSON types.

    Example:
        >>> from green_callbacks import EpochRecord, History
        >>> from green_callbacks.records import Plan
        >>> records = [EpochRecord.scripted(epoch=epoch, emissions_kg=0.5) for epoch in (None, 0, 1)]
        >>> contents = LedgerContents("digits", History(records), None, True, Plan(), None, "max", "given", {})
        >>> found = run_of(contents, "a1")
        >>> found["g"], found["total_g"], found["outside_g"]
        ([500.0, 500.0], [1000.0, 1500.0], 500.0)
    """
    history = contents.history
    metric = metric_of_run(contents.monitor, contents.mode, history.metric_names)
    sums, ends = EpochSums.of(history), list(curve(history, None if metric is None else metric.name))
    epochs = buckets(len(ends), most)
    totaled = totals(
        history, contents.run_id, None, contents.stop_reason, tuple(contents.notices.values()), contents.plan.landing
    )
    is_measured = history.energy_joules is not None
    outside_kg = history.emissions_kg - sums.total("kg", range(len(ends)))
    return {
        "key": key,
        "points": len(epochs),
        "epochs_a_point": len(epochs[0]) if epochs else 1,
        "epoch": [ends[each[-1]].epoch for each in epochs],
        **_spending(history, sums, epochs),
        **_conditions(sums, epochs),
        "q": points(_last_value([ends[at] for at in each]) for each in epochs),
        "verdicts": _verdicts(contents),
        "outside_g": few_digits(max(outside_kg, 0.0) * GRAMS_PER_KG) if is_measured else None,
        "facts": facts_of(contents, totaled, metric),
    }


def _spending(history: History, sums: EpochSums, epochs: Sequence[range]) -> dict[str, Any]:
    is_measured = history.energy_joules is not None
    joules = history.cumulative_joules
    last = [sums.ends[each[-1]] for each in epochs]
    means = {"g": "kg", "low_g": "low_kg", "high_g": "high_kg"}
    return {
        **{name: points((sums.mean(kg, each) for each in epochs), GRAMS_PER_KG) for name, kg in means.items()},
        "total_g": points((history.cumulative_kg[row] if is_measured else None for row in last), GRAMS_PER_KG),
        "kwh": points((sums.mean("joules", each) for each in epochs), 1 / JOULES_PER_KWH),
        "total_kwh": points((joules[row] if is_measured else None for row in last), 1 / JOULES_PER_KWH),
    }


def _conditions(sums: EpochSums, epochs: Sequence[range]) -> dict[str, Any]:
    """Return the means by energy of PUE, carbon intensity and measured share."""

    def share(part: str, whole: str, factor: float) -> list[float | None]:
        return points(_ratio(sums.total(part, each), sums.total(whole, each), factor) for each in epochs)

    return {
        "pue": share("facility_kwh", "joules", JOULES_PER_KWH),
        "g_per_kwh": share("kg", "facility_kwh", GRAMS_PER_KG),
        "measured": share("measured", "joules", 1.0),
    }


def _ratio(part: float, whole: float, factor: float) -> float | None:
    return part / whole * factor if whole > 0 and isfinite(part) else None


def _last_value(ends: Sequence[Point]) -> float | None:
    return next((end.value for end in reversed(ends) if end.value is not None), None)


def _verdicts(contents: LedgerContents) -> list[list[Any]]:
    """Return where the run began to land, and where a policy stopped it. A reader of ledgers skips other verdicts."""
    landing, last = contents.plan.landing, contents.history.last_epoch
    said: list[list[Any]] = [] if landing is None else [[landing.epoch, "landing"]]
    return said if contents.stop_reason is None or last is None else [*said, [last, "stopping"]]

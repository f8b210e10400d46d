"""GPUs that a run held while it did nothing, outside epochs."""

from typing import Final

from green_callbacks.analysis.findings.finding import Finding
from green_callbacks.analysis.findings.run_facts import (
    LEAST_OBSERVED,
    LEAST_USE,
    GpuTime,
    Row,
    RunFacts,
    amount_of,
    gpus_of,
    named,
    seconds_of,
)
from green_callbacks.text.wording import duration, percent

_IDLE: Final = 0.02
"""Utilization up to which a GPU counts as idle, as a ratio (by convention). A display may use as much."""
_LEAST_SECONDS: Final = 600.0
"""Idle time outside epochs that the finding needs, in s (by convention). Any run takes minutes to begin and to end."""
_LEAST_SHARE: Final = 0.1
"""Share of the energy of the run that the idle GPUs must have used, as a ratio (by convention)."""

_BEFORE: Final = "Do what needs no GPU, such as preparing data, before the process takes the"
_AFTER: Final = "Let the process end with its training, so that others can use the"


def idle_outside(facts: RunFacts) -> Finding | None:
    """Return whether GPUs that trained were held idle outside epochs.

    Args:
        facts: The records of the run.

    Returns:
        The share of the energy of the run. The cost is the energy of these GPUs alone.
    """
    used = {name for name, gpu in facts.gpus.items() if _is_used(gpu)}
    idle = {name: rows for name in used if (rows := [row for row in facts.outside if _is_idle(row, name)])}
    idle = {name: rows for name, rows in idle.items() if seconds_of(rows) >= _LEAST_SECONDS}
    whole_kwh = sum(row.facility_kwh for row in (*facts.inside, *facts.outside))
    if not idle or whole_kwh <= 0:
        return None
    parts = [(row, _part(row, name)) for name, rows in idle.items() for row in rows]
    kwh = sum(row.facility_kwh * part for row, part in parts)
    costs = {"facility_kwh": kwh, "emissions_kg": sum(row.emissions_kg * part for row, part in parts)}
    if kwh < _LEAST_SHARE * whole_kwh:
        return None
    longest = max(map(seconds_of, idle.values()))
    gpus = [GpuTime(name) for name in sorted(idle)]
    share, verb = kwh / whole_kwh, "was" if len(gpus) == 1 else "were"
    began_at = facts.inside[0].record.started_at
    before_kwh = sum(row.facility_kwh * part for row, part in parts if row.record.started_at < began_at)
    remedy = _BEFORE if before_kwh > kwh / 2 else _AFTER
    what = "GPU" if len(gpus) == 1 else "GPUs"
    text = (
        f"{named(gpus, len(facts.gpus))} {verb} held idle for {duration(longest)} outside epochs. That cost "
        f"{amount_of(costs)}, {percent(share)} of the energy of the run. {remedy} {what}."
    )
    return Finding(key="idle_outside", value=share, text=text, **costs, is_saving=True)


def _is_used(gpu: GpuTime) -> bool:
    return (gpu.share("utilization") or 0.0) >= LEAST_USE


def _is_idle(row: Row, name: str) -> bool:
    """Return whether a GPU is known to have been idle in a row."""
    activity, seconds = row.record.activity.get(name), row.record.duration_seconds
    if activity is None or activity.utilization is None or activity.observed_seconds < LEAST_OBSERVED * seconds:
        return False
    alone = gpus_of([row]).get(name)
    return alone is not None and alone.is_sure and activity.utilization <= _IDLE


def _part(row: Row, name: str) -> float:
    """Return the share of the energy of a row that a GPU used."""
    whole, own = row.joules, row.record.devices[name].joules
    return own / whole if whole and own else 0.0

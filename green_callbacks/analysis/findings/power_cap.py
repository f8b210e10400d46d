"""GPUs that ran under a power limit below the default of their maker."""

from collections.abc import Sequence
from typing import Final

from green_callbacks.analysis.findings.finding import Finding
from green_callbacks.analysis.findings.run_facts import (
    LEAST_OBSERVED,
    GpuTime,
    Row,
    RunFacts,
    gpus_of,
    named,
    seconds_of,
)
from green_callbacks.text.wording import percent, significant

_LEAST_SHARE: Final = 0.25
"""Share of the time under the limit for which it must have lowered the clocks, as a ratio (by convention)."""
_BELOW: Final = 0.98
"""Part of the default limit below which a limit counts as lowered, as a ratio (by convention). Drivers round limits."""


def power_cap(facts: RunFacts) -> Finding | None:
    """Return whether a lowered power limit held GPUs back.

    A GPU at its default limit is not held back by anybody, and a low limit that is never reached changes nothing.

    Args:
        facts: The records of the run.

    Returns:
        The share of the epochs. It has no cost, because a lowered limit may save energy.
    """
    gpus = {name: rows for name in facts.gpus if (rows := _capped(facts, name))}
    held = [gpu for name, rows in gpus.items() if _is_held(gpu := gpus_of(rows)[name])]
    if not held:
        return None
    share = sum(_reached(facts, gpu) for gpu in held) / len(held)
    limits = [row.record.activity[gpu.name].limit_watts or 0.0 for gpu in held for row in gpus[gpu.name]]
    defaults = [facts.infos[gpu.name].default_limit_watts or 0.0 for gpu in held]
    text = (
        f"{named(held, len(facts.gpus))} reached a lowered power limit for {percent(share)} of the epochs. "
        f"It was {_range(limits)}, and the default is {_range(defaults)}. A lower limit makes training longer and "
        "often saves energy, so it may be intended."
    )
    return Finding(key="power_cap", value=share, text=text)


def _capped(facts: RunFacts, name: str) -> list[Row]:
    """Return the rows in which the limit of a GPU was below its default. Empty if they are less than half of all."""
    info = facts.infos.get(name)
    default = None if info is None else info.default_limit_watts
    if not default:
        return []
    rows = [row for row in facts.inside if name in row.record.devices and _is_below(row, name, default)]
    return rows if seconds_of(rows) >= LEAST_OBSERVED * seconds_of(facts.inside) else []


def _is_below(row: Row, name: str, default: float) -> bool:
    watts = _limit_watts(row, name)
    return watts is not None and 0 < watts < _BELOW * default


def _reached(facts: RunFacts, gpu: GpuTime) -> float:
    """Return the share of the epochs in which a GPU was at its lowered limit. The limit may change within a run."""
    known = (row for row in facts.inside if _limit_watts(row, gpu.name) is not None)
    return (gpu.share("power_cap_share") or 0.0) * min(gpu.seconds / seconds_of(known), 1.0)


def _limit_watts(row: Row, name: str) -> float | None:
    activity = row.record.activity.get(name)
    return None if activity is None else activity.limit_watts


def _is_held(gpu: GpuTime) -> bool:
    return (gpu.share("power_cap_share") or 0.0) >= _LEAST_SHARE


def _range(watts: Sequence[float]) -> str:
    low, high = significant(min(watts)), significant(max(watts))
    return f"{low} W" if low == high else f"{low} to {high} W"

"""Training that waits for its data while the GPU is idle."""

from typing import Final

from green_callbacks.analysis.findings.finding import Finding
from green_callbacks.analysis.findings.run_facts import (
    LEAST_OBSERVED,
    LEAST_SECONDS,
    LEAST_USE,
    GpuTime,
    RunFacts,
    amount_of,
    costs_of,
    gpus_of,
    named,
    seconds_of,
)
from green_callbacks.text.wording import percent

_LEAST_IDLE: Final = 0.25
"""Share of the epochs for which a GPU must have been idle, as a ratio (by convention)."""
_LEAST_WAIT: Final = 0.25
"""Share of the epochs for which training must have waited, as a ratio (by convention). An estimate from every 47th step
may be wrong by a quarter."""
_EXPLAINED: Final = 0.5
"""Part of the idle time that the wait must explain, as a ratio (by convention). If the wait is shorter, other work of
the host keeps the GPU idle."""

_LEAST_WORK: Final = 0.2
"""Share of the remaining time in which a GPU must be used, as a ratio (by convention). A GPU that only serves a
display, beside a training on the CPU, does not wait for its data.
"""


def data_wait(facts: RunFacts) -> Finding | None:
    """Return whether training waited for data while its GPUs were idle.

    The wait of the host alone does not show that a GPU is idle, because GPUs work through a queue. So both must be
    long.

    Args:
        facts: The records of the run.

    Returns:
        The share of the epochs in which the GPUs were idle. The cost is at most what a faster loader saves.
    """
    rows = [row for row in facts.inside if row.record.data_wait_seconds is not None]
    seconds = seconds_of(rows)
    if seconds < max(LEAST_SECONDS, LEAST_OBSERVED * seconds_of(facts.inside)):
        return None
    waited = sum(row.record.data_wait_seconds or 0.0 for row in rows) / seconds
    if waited < _LEAST_WAIT:
        return None
    gpus = gpus_of(rows)
    most_idle = 1 - max(LEAST_USE, _LEAST_WORK * (1 - waited))
    idle = [gpu for gpu in gpus.values() if _LEAST_IDLE <= _idle(gpu) <= most_idle]
    share = sum(map(_idle, idle)) / max(len(idle), 1)
    joules = sum(gpu.joules for gpu in gpus.values())
    if not idle or waited < _EXPLAINED * share or joules <= 0:
        return None
    costs = costs_of(rows, sum(min(waited, _idle(gpu)) * gpu.joules for gpu in idle) / joules)
    verb = "was" if len(idle) == 1 else "were"
    text = (
        f"{named(idle, len(gpus))} {verb} idle for {percent(share)} of the epochs, and training waited for data for "
        f"{percent(waited)} of them. That cost at most {amount_of(costs)}. More workers of the data "
        "loader that stay from epoch to epoch, or data that are prepared once, may help."
    )
    return Finding(key="data_wait", value=share, text=text, **costs, is_saving=True)


def _idle(gpu: GpuTime) -> float:
    """Return the share of the time in which a GPU was idle. 0 if unknown."""
    used = gpu.share("utilization")
    return 0.0 if used is None else 1 - used

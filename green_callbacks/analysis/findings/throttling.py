"""GPUs whose clocks were lowered by heat, or by their power supply."""

from typing import Final

from green_callbacks.analysis.findings.finding import Finding
from green_callbacks.analysis.findings.run_facts import RunFacts, amount_of, costs_of, mean_of, named
from green_callbacks.text.wording import percent

_LEAST_SHARE: Final = 0.1
"""Share of the epochs for which clocks must have been lowered, as a ratio (by convention). Short spells are normal."""


def overheated(facts: RunFacts) -> Finding | None:
    """Return whether heat lowered the clocks of GPUs.

    Args:
        facts: The records of the run.

    Returns:
        The share of the epochs. The cost is what was spent meanwhile.
    """
    remedy = "Better cooling, or fewer neighbors that heat the same air, makes training faster."
    return _throttled(facts, "overheated", "thermal_share", "ran at lowered clocks because of heat", remedy)


def braked(facts: RunFacts) -> Finding | None:
    """Return whether the power supply lowered the clocks of GPUs.

    Args:
        facts: The records of the run.

    Returns:
        The share of the epochs. The cost is what was spent meanwhile.
    """
    remedy = "A fault of the power supply may be the reason, so tell whoever keeps the machine."
    return _throttled(facts, "braked", "hardware_share", "ran at clocks that the hardware had lowered", remedy)


def _throttled(facts: RunFacts, key: str, fact: str, what: str, remedy: str) -> Finding | None:
    gpus = facts.gpus
    slow = [gpu for gpu in gpus.values() if (gpu.share(fact) or 0.0) >= _LEAST_SHARE]
    joules = sum(gpu.joules for gpu in gpus.values())
    if not slow or joules <= 0:
        return None
    share = mean_of(slow, fact)
    costs = costs_of(facts.inside, sum((gpu.share(fact) or 0.0) * gpu.joules for gpu in slow) / joules)
    text = (
        f"{named(slow, len(gpus))} {what} for {percent(share)} of the epochs. That time "
        f"cost {amount_of(costs)}. {remedy}"
    )
    return Finding(key=key, value=share, text=text, **costs)

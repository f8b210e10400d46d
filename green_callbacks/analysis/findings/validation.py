"""Validation that takes a large part of the energy of the epochs."""

from typing import Final

from green_callbacks.analysis.findings.finding import Finding
from green_callbacks.analysis.findings.run_facts import (
    LEAST_SECONDS,
    Row,
    RunFacts,
    amount_of,
    are_measured,
    seconds_of,
)
from green_callbacks.text.wording import percent

_LEAST_SHARE: Final = 0.25
"""Share of the energy of the epochs from which on validation is dear, as a ratio. A forward pass takes about a third of
a training step, so validation on as many samples as training takes a quarter (by estimate).
"""
_LEAST_RECORDS: Final = 5
"""Number of records with a validation that the finding needs (by convention). The first validation often is slow. A
record is an epoch, or a part of a long one.
"""


def validation(facts: RunFacts) -> Finding | None:
    """Return whether validation took much of the energy of the epochs.

    Args:
        facts: The records of the run.

    Returns:
        The share of the energy of the epochs. Not all of the cost can be saved, because some validation is needed.
    """
    rows = facts.inside if any("validation" in row.record.phases for row in facts.inside) else []
    count = sum(_share(row) > 0 and row.record.complete for row in rows)
    if count < _LEAST_RECORDS or seconds_of(rows) < LEAST_SECONDS or not are_measured(rows):
        return None
    costs = {
        "facility_kwh": sum(_share(row) * row.facility_kwh for row in rows),
        "emissions_kg": sum(_share(row) * row.emissions_kg for row in rows),
    }
    whole_kwh = sum(row.facility_kwh for row in rows)
    share = costs["facility_kwh"] / whole_kwh if whole_kwh > 0 else 0.0
    if share < _LEAST_SHARE:
        return None
    text = (
        f"Validation took {percent(share)} of the energy of the epochs, {amount_of(costs)}. "
        "Validating half as often, or on fewer samples, saves a part of it."
    )
    return Finding(key="validation", value=share, text=text, **costs, is_saving=True)


def _share(row: Row) -> float:
    """Return the share of the energy of a row that validation took. 0 if unknown."""
    joules, phase = row.joules, row.record.phases.get("validation")
    return min(phase.joules / joules, 1.0) if phase is not None and phase.joules and joules else 0.0

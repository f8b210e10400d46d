"""The words for the landing of a run, the same in all texts.

Example:
    >>> from green_callbacks.records import Landing, LandingTotals
    >>> landing = Landing(first_step=90, steps=10, epoch=8, last_epoch=9, reason="Training no longer pays.")
    >>> spent = {"steps": 10, "facility_kwh": 0.2, "emissions_kg": 0.1, "is_over": True}
    >>> landing_spent(LandingTotals(landing=landing, epochs=1, **spent))
    '1 epoch, 200 Wh and 100 g CO2e'
"""

from green_callbacks.records import LandingTotals, RunRecord
from green_callbacks.text.amounts import format_energy, format_mass


def landing_length(landed: LandingTotals) -> str:
    """Write how long a landing took so far, in epochs, or in steps if it does not begin and end with epochs.

    Args:
        landed: Totals of the landing.
    """
    count, unit = (landed.steps, "step") if landed.epochs is None else (landed.epochs, "epoch")
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def landing_spent(landed: LandingTotals, pue: float = 1.0) -> str:
    """Write the length and the cost of a landing.

    Args:
        landed: Totals of the landing.
        pue: PUE of the run. Its energy is said to include any PUE except 1. Defaults to 1.
    """
    length = landing_length(landed)
    if landed.facility_kwh is None or landed.emissions_kg is None:
        return f"{length}, and its energy is not known"
    about, with_pue = "about " if landed.epochs is None else "", "" if pue == 1 else " with the PUE"
    energy = f"{about}{format_energy(landed.facility_kwh)}{with_pue}"
    return f"{length}, {energy} and {format_mass(landed.emissions_kg)} CO2e"


def how_it_landed(run: RunRecord) -> str:
    """Return how a run landed, as sentences. Empty without a landing.

    Args:
        run: Totals of the run.
    """
    landed = run.landing
    if landed is None:
        return ""
    reason, took = landed.landing.reason, landing_spent(landed, run.pue)
    is_said = run.stop_reason is not None and run.stop_reason.startswith(reason)
    if not landed.is_over:
        begun = f"It was landing. {reason}".rstrip()
        return f"{begun} The learning rate had not reached zero. The landing had taken {took}."
    went = "" if is_said else f"{reason} The learning rate went to zero. ".lstrip()
    return f"{went}The landing took {took}."

"""The expected cost of what a run does next, which a registry of a shared budget holds for it."""

from green_callbacks.policies._next_stop_cost import next_epoch, to_come
from green_callbacks.records import History, Plan
from green_callbacks.units import Quantity


def cost_until_next_decision(history: History, plan: Plan, quantity: Quantity) -> float | None:
    """Return the expected spending until the policies decide next, as :class:`CarbonBudget` expects it.

    Args:
        history: All records so far.
        plan: The plan of the run.
        quantity: What is spent, ``emissions_kg`` or ``facility_kwh``.

    Returns:
        The cost of an epoch, or of a part of an epoch if the run decides inside epochs, in kgCO2e or kWh. None if
        nothing has ended yet, or nothing is to come.

    Example:
        >>> from green_callbacks.records import EpochRecord, History
        >>> history = History([EpochRecord.scripted(epoch=0, emissions_kg=0.2)])
        >>> cost_until_next_decision(history, Plan(epochs=9), "emissions_kg")
        0.2
    """
    cumulative = history.cumulative_kg if quantity == "emissions_kg" else history.cumulative_kwh
    if history.part_rows:
        ahead = to_come(history, plan, cumulative)
        return None if ahead is None else ahead.cost
    return next_epoch(history, plan, cumulative)


def decisions_to_come(history: History, plan: Plan) -> int | None:
    """Return how many epochs the plan still allows. None if it does not limit the epochs, or decides inside epochs.

    Args:
        history: All records so far.
        plan: The plan of the run.

    Example:
        >>> from green_callbacks.records import EpochRecord, History
        >>> decisions_to_come(History([EpochRecord.scripted(epoch=0)]), Plan(epochs=9))
        8
    """
    if plan.epochs is None or history.part_rows:
        return None
    return max(plan.epochs - history.epochs_done(), 0)

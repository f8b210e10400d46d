"""What all runs of a search have spent, by their ledgers and by the registry of their budget."""

from dataclasses import replace
from typing import Any

from green_callbacks.accountant.setup.options import Settings
from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger.project_totals import project_closings
from green_callbacks.policies import CarbonBudget
from green_callbacks.registry.opening import open_registry
from green_callbacks.registry.protocol import BudgetRegistry, RegistryUnavailableError, RunState


def with_spending(budget: CarbonBudget) -> CarbonBudget:
    """Return a budget with what all runs of its project have spent, and with the limit that was set for them.

    Ledgers of other machines may be out of reach, and then the registry knows their totals. A registry that does not
    answer is left to the runs, which report it.

    Args:
        budget: The budget, with a project.
    """
    project, quantity = str(budget.project), budget.amount.quantity
    is_mass = quantity == "emissions_kg"
    closings = project_closings(project).closings
    spent = {each.run_id: each.emissions_kg if is_mass else each.facility_kwh for each in closings}
    limit = None
    try:
        registry = open_registry(_url_of(budget), project, quantity)
        try:
            limit = _add(spent, registry)
        finally:
            registry.close()
    except (RegistryUnavailableError, ConfigurationError):
        pass
    told = replace(budget, spent_before=budget.spent_before + sum(spent.values()))
    return told if limit is None else replace(told, budget=limit if is_mass else f"{limit!r} kWh")


def _add(spent: dict[str, float], registry: BudgetRegistry) -> float | None:
    """Add the runs of a registry, and return the limit that was set there."""
    for run in registry.runs():
        if run.run_id not in spent:
            spent[run.run_id] = run.spent
        elif run.state is RunState.DEAD:  # it may have spent what it held, and no ledger says so
            spent[run.run_id] += run.settled
    return registry.set_limit_now()


def _url_of(budget: CarbonBudget) -> str | None:
    given: dict[str, Any] = vars(budget)
    configured: str | None = getattr(Settings.check({}), "registry", None)
    return given.get("registry") or configured

"""What all runs of a search have spent, by their ledgers and by the registry of their budget."""

from dataclasses import replace
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any, Final, NamedTuple

from green_callbacks.accountant.setup.options import Settings
from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger.project_totals import project_closings
from green_callbacks.policies import CarbonBudget
from green_callbacks.registry.opening import open_registry
from green_callbacks.registry.protocol import BudgetRegistry, RegistryUnavailableError, RunState
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_REST_SECONDS: Final = 60.0
"""Time in s for which a registry that did not answer is left alone. A trial waits for it rarely then, by convention."""


class Kept(NamedTuple):
    """What a run of this process has spent.

    Attributes:
        ledger: Its ledger, which may be missing.
        kg: Emissions in kgCO2e.
        kwh: Facility energy in kWh.
    """

    ledger: Path
    kg: float
    kwh: float


class SearchSpending:
    """Knows what all runs of a search have spent. Ledgers of other machines may be out of reach of this machine."""

    def __init__(self) -> None:
        self._not_before = -inf
        self._kept: dict[str, Kept] = {}
        self._has_said = False

    def keep(self, run_id: str, kept: Kept) -> None:
        """Keep what a run of this process has spent, because its ledger may be deleted or may not be written.

        Args:
            run_id: Name of the run.
            kept: What it has spent.
        """
        self._kept[run_id] = kept

    def told(self, budget: CarbonBudget) -> CarbonBudget:
        """Return a budget with what all runs of its project have spent, and with the limit that was set for them.

        A registry that does not answer is left to the runs, which report it.

        Args:
            budget: The budget, with a project.
        """
        project, quantity = str(budget.project), budget.amount.quantity
        is_mass = quantity == "emissions_kg"
        closings = project_closings(project).closings
        spent = {each.run_id: each.emissions_kg if is_mass else each.facility_kwh for each in closings}
        for run_id, kept in dict(self._kept).items():
            if run_id not in spent and str(kept.ledger.parent) == project and not kept.ledger.is_file():
                spent[run_id] = kept.kg if is_mass else kept.kwh
                self._say_missing(project)
        limit = self._ask(spent, budget) if monotonic() >= self._not_before else None
        told = replace(budget, spent_before=budget.spent_before + sum(spent.values()))
        return told if limit is None else replace(told, budget=limit if is_mass else f"{limit!r} kWh")

    def _say_missing(self, project: str) -> None:
        if not self._has_said:
            self._has_said = True
            logger.warning(
                "The folder %s has no ledger of a trial that has ended. The budget counts this trial while this "
                "process lives, and no later. Let nobody delete ledgers of a search, and make the folder writable.",
                project,
            )

    def _ask(self, spent: dict[str, float], budget: CarbonBudget) -> float | None:
        try:
            registry = open_registry(_url_of(budget), str(budget.project), budget.amount.quantity)
        except ConfigurationError:  # the run refuses it, with the remedy
            return None
        try:
            return _add(spent, registry)
        except RegistryUnavailableError:
            self._not_before = monotonic() + _REST_SECONDS
            return None
        finally:
            registry.close()


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

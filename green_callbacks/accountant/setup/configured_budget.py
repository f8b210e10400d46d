"""The budget that a variable or a file gives every run, beside the policies of its script."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from green_callbacks.accountant.ranks import Ranks
from green_callbacks.configuration import BUDGET_VARIABLE, PROJECT_VARIABLE, Configuration, Setting
from green_callbacks.policies import Budget, CarbonBudget, Policy, title_of
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)


class ConfiguredBudget(NamedTuple):
    """A budget that no script names.

    Attributes:
        policy: The budget.
        origin: Sentences for the user, which say where it comes from and how to do without it.
    """

    policy: CarbonBudget
    origin: str


def configured_budget(configuration: Configuration) -> ConfiguredBudget | None:
    """Return the budget of variables and files, or None if they give none.

    Args:
        configuration: What variables and files say. A project without a budget is noted there.
    """
    amount, project = configuration.first("budget"), configuration.first("project")
    if amount is None or not amount.value:
        if project is not None and project.value and project.kind == "variable":
            configuration.faults.append(
                f"{PROJECT_VARIABLE} has no effect, because no variable or file gives a budget. Set {BUDGET_VARIABLE}, "
                "or pass project= to CarbonBudget."
            )
        return None
    policy = CarbonBudget(amount.value, project=project.value or None if project else None)
    return ConfiguredBudget(policy, _origin(policy, amount, project if policy.project else None))


def _origin(policy: CarbonBudget, amount: Setting, project: Setting | None) -> str:
    origins = amount.origin if project is None else " and ".join(dict.fromkeys((amount.origin, project.origin)))
    remedy = (
        f"Set {BUDGET_VARIABLE}=none or pass policies=[] to train without it, or pass a CarbonBudget of your own"
        f"{' for that project' if project else ''}."
    )
    name = f"{policy.name[:1].upper()}{policy.name[1:]}"
    return f"{name} comes from {origins}, not from the script. The run stops before it would be overspent. {remedy}"


def beside_own(configured: ConfiguredBudget | None, policies: Sequence[Policy]) -> ConfiguredBudget | None:
    """Return the configured budget, or None if the script has a budget of its own for the same project.

    Args:
        configured: The budget of variables and files.
        policies: The policies of the script.
    """
    if configured is None:
        return None
    project = _place_of(configured.policy)
    own = next((each for each in policies if isinstance(each, Budget) and _place_of(each) == project), None)
    if own is None:
        return configured
    logger.info("%s of the script counts, and %s does not.", title_of(own), configured.policy.name)
    return None


def agreed(configured: ConfiguredBudget | None, ranks: Ranks) -> ConfiguredBudget | None:
    """Return the configured budget of rank 0 on every rank, because other hosts may have other files.

    Ranks with and without a budget would wait for each other inside an epoch. Every rank calls this.

    Args:
        configured: The budget of this rank.
        ranks: The processes of the run.
    """
    if ranks.size == 1:
        return configured
    amount = configured.policy.amount if configured and ranks.rank == 0 else None
    is_carbon = amount is not None and amount.quantity == "emissions_kg"
    mine = [amount.value if amount and is_carbon else 0.0, amount.value if amount and not is_carbon else 0.0]
    kg, kwh = ranks.sum(mine)
    if ranks.rank == 0:
        return configured
    if kg > 0 or kwh > 0:  # rank 0 alone decides, so that the others need no project
        return ConfiguredBudget(CarbonBudget(kg if kg > 0 else f"{kwh!r} kWh"), "")
    return None


def _place_of(budget: Budget) -> str | None:
    project = getattr(budget, "project", None)
    return os.path.realpath(project) if project else None

"""A shared budget for other programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from green_callbacks.cli.project.accounts import Account
from green_callbacks.cli.project.places import Place
from green_callbacks.registry import RegisteredRun
from green_callbacks.units import Quantity

_UNITS: Final[Mapping[Quantity, str]] = {"emissions_kg": "kgCO2e", "facility_kwh": "kWh"}


def as_json(place: Place, accounts: Sequence[Account], top: int | None) -> str:
    """Write the budgets of a project as JSON.

    Args:
        place: The project.
        accounts: Its budgets.
        top: Largest number of runs of a budget. None for all.

    Returns:
        One document. Amounts are in the unit that it names, and times in s.
    """
    document = {
        "project": place.shown,
        "notes": list(accounts[0].remarks),
        "budgets": [_budget(account, top) for account in accounts],
    }
    return json.dumps(document, indent=2, allow_nan=False)


def _budget(account: Account, top: int | None) -> dict[str, object]:
    limits = account.limits
    return {
        "unit": _UNITS[account.quantity],
        "is_shared": account.is_shared,
        "set_limit": account.set_limit,
        "smallest_limit": limits[0] if limits else None,
        "largest_limit": limits[1] if limits else None,
        "spent": account.spent,
        "held": account.held,
        "left": limits[0] - account.spent - account.held if limits else None,
        "spent_by_ledgers_alone": account.unknown_spent,
        "run_count": len(account.runs),
        "runs": [_run(run) for run in account.runs[:top]],
    }


def _run(run: RegisteredRun) -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "state": run.state.value,
        "spent": run.spent,
        "held": run.held,
        "settled": run.settled,
        "silent_seconds": run.silent_seconds,
        "epoch_cost": run.epoch_cost,
        "limit": run.limit,
        "host": run.host,
        "ledger": run.ledger,
    }

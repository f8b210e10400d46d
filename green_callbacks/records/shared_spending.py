"""What the other runs of a project have spent and hold of a budget."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from green_callbacks.records.history.state import state_checks as checks
from green_callbacks.units import Quantity

_UNITS: Final[dict[Quantity, str]] = {"emissions_kg": "kg", "facility_kwh": "kwh"}
"""The name of each unit in a ledger."""
_AMOUNTS: Final = ("spent", "held", "withheld", "limit")
_MOST: Final = 1e300
"""Largest amount that is accepted, in kgCO2e or kWh. Sums of such amounts stay finite."""


class SharedSpending(NamedTuple):
    """What the other runs of a project have spent and hold of a budget, in the unit of the budget.

    Attributes:
        project: Folder or glob pattern of the project, as the budget names it.
        quantity: What the budget limits, ``emissions_kg`` or ``facility_kwh``.
        spent: Spending of the other runs, in kgCO2e or kWh.
        held: Expected spending of other runs that still train, in kgCO2e or kWh. Defaults to 0.
        withheld: Part of the rest that this run may not use, because the registry did not grant it, in kgCO2e or kWh.
            Defaults to 0.
        limit: The budget that was set for all runs. Defaults to None, for the budget of the script.

    Example:
        >>> SharedSpending("logs", "emissions_kg", spent=0.5, held=0.1).total
        0.6
    """

    project: str
    quantity: Quantity
    spent: float
    held: float = 0.0
    withheld: float = 0.0
    limit: float | None = None

    @property
    def total(self) -> float:
        """What this run cannot spend, in kgCO2e or kWh."""
        return self.spent + self.held + self.withheld


def encode_shared(shared: Sequence[SharedSpending]) -> list[dict[str, Any]]:
    """Return the spending of other runs as plain JSON types.

    Args:
        shared: The spending, by project.
    """
    return [_encoded(each) for each in shared]


def _encoded(each: SharedSpending) -> dict[str, Any]:
    unit = _UNITS[each.quantity]
    amounts = {
        f"spent_{unit}": each.spent,
        f"held_{unit}": each.held or None,
        f"withheld_{unit}": each.withheld or None,
        f"limit_{unit}": each.limit,
    }
    return {"project": each.project, **{name: amount for name, amount in amounts.items() if amount is not None}}


def decode_shared(fields: object, what: str) -> tuple[SharedSpending, ...]:
    """Read the result of :func:`encode_shared`.

    Args:
        fields: The list.
        what: The list in words.

    Raises:
        DamagedError: A field has a wrong type, or is out of range.
    """
    return tuple([_decoded(checks.mapping(each, what), what) for each in checks.listed(fields, what)])


def _decoded(fields: dict[str, Any], what: str) -> SharedSpending:
    (project,) = checks.names([fields.get("project")], what)
    quantity: Quantity = "emissions_kg" if "spent_kg" in fields else "facility_kwh"
    unit = _UNITS[quantity]
    amounts = [checks.finite(fields.get(f"{name}_{unit}", 0.0), what) for name in _AMOUNTS]
    checks.within(amounts, what, 0.0, _MOST)
    spent, held, withheld, limit = amounts
    return SharedSpending(project, quantity, spent, held, withheld, limit or None)

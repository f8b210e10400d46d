"""What a project has spent and holds, by its registry and by the ledgers that the registry does not know."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from green_callbacks.cli.project.places import Place
from green_callbacks.errors import LedgerError
from green_callbacks.ledger import shown
from green_callbacks.ledger.project_totals import Closings, project_closings
from green_callbacks.registry import RegisteredRun, RunState
from green_callbacks.units import Quantity


@dataclass(frozen=True, slots=True)
class Account:
    """One budget of a project. Amounts are in its unit, kgCO2e or kWh.

    Attributes:
        quantity: Quantity of the budget.
        is_shared: Whether a registry keeps this budget. If not, only ledgers tell what was spent.
        runs: The runs, the largest spending first.
        unknown: Names of the runs that only their ledgers tell.
        set_limit: The limit that was set for all runs, or None.
        remarks: Sentences about ledgers that count in part, or not at all.
    """

    quantity: Quantity
    is_shared: bool
    runs: Sequence[RegisteredRun]
    unknown: frozenset[str]
    set_limit: float | None
    remarks: Sequence[str]

    @property
    def spent(self) -> float:
        """Spending of all runs."""
        return sum(run.spent for run in self.runs)

    @property
    def held(self) -> float:
        """What live runs hold."""
        return sum(run.held for run in self.runs)

    @property
    def unknown_spent(self) -> float:
        """Spending of the runs that only their ledgers tell."""
        return sum(run.spent for run in self.runs if run.run_id in self.unknown)

    @property
    def limits(self) -> tuple[float, float] | None:
        """The smallest and the largest budget that counts for a run. None if nobody has named one."""
        if self.set_limit is not None:
            return self.set_limit, self.set_limit
        known = self._limits(self.in_state(RunState.LIVE)) or self._limits(self.runs)
        return (min(known), max(known)) if known else None

    def in_state(self, state: RunState) -> list[RegisteredRun]:
        """Return the runs in a state.

        Args:
            state: The state.
        """
        return [run for run in self.runs if run.state is state]

    @staticmethod
    def _limits(runs: Iterable[RegisteredRun]) -> list[float]:
        return [run.limit for run in runs if run.limit is not None]


def accounts_of(place: Place) -> list[Account]:
    """Read the registry and the ledgers of a project.

    Args:
        place: The project.

    Returns:
        One account for each budget. One account of emissions if there is no budget.

    Raises:
        LedgerError: There is neither a budget nor a ledger.
        RegistryUnavailableError: The registry does not answer.
    """
    ledgers = project_closings(place.project) if place.has_ledgers else Closings()
    remarks, accounts = _remarks(ledgers), []
    for quantity, registry in place.budgets():
        runs = {run.run_id: run for run in registry.runs()}
        accounts.append(_account(quantity, runs, ledgers, registry.set_limit_now(), remarks, is_shared=True))
        registry.close()
    if accounts:
        return accounts
    if not ledgers.closings and not remarks:
        msg = (
            f"There is neither a shared budget nor a ledger (*.jsonl) in or below {shown(place.project)}. Name the "
            "folder that CarbonBudget(project=…) names."
        )
        raise LedgerError(msg)
    return [_account("emissions_kg", {}, ledgers, None, [*remarks, *ledgers.overlaps], is_shared=False)]


def _account(
    quantity: Quantity,
    runs: Mapping[str, RegisteredRun],
    ledgers: Closings,
    set_limit: float | None,
    remarks: Sequence[str],
    *,
    is_shared: bool,
) -> Account:
    """Add what the ledgers tell, as the next run of the project will."""
    merged = dict(runs)
    for at, closing in enumerate(ledgers.closings):
        name = closing.run_id or f"unnamed run {at}"
        spent = closing.emissions_kg if quantity == "emissions_kg" else closing.facility_kwh
        known = runs.get(name)
        if known is None:
            merged[name] = _by_ledger(name, spent)
        elif known.state is not RunState.LIVE:
            merged[name] = replace(known, spent=max(known.spent, spent))
    return Account(
        quantity=quantity,
        is_shared=is_shared,
        runs=sorted(merged.values(), key=lambda run: (-run.spent, run.run_id)),
        unknown=frozenset(merged.keys() - runs.keys()),
        set_limit=set_limit,
        remarks=remarks,
    )


def _by_ledger(run_id: str, spent: float) -> RegisteredRun:
    return RegisteredRun(run_id=run_id, state=RunState.ENTERED, spent=spent, held=0.0, silent_seconds=0.0)


def _remarks(ledgers: Closings) -> list[str]:
    """Return sentences about the ledgers that count in part or not at all."""
    said = []
    for what, reasons in {
        "cannot be read and do not count": ledgers.unread,
        "are damaged and count in part": ledgers.damaged,
    }.items():
        if reasons:
            said.append(f"{len(reasons):,} of the ledgers {what}. {reasons[0]}")
    return [*said, *ledgers.copies]

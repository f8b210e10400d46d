"""The runs of a project that claim nothing. Their ledgers tell a registry what they have spent."""

from green_callbacks.accountant.setup.parent_run import parent_runs
from green_callbacks.accountant.setup.resume import RunState
from green_callbacks.ledger.project_ledgers import identity_of, ledgers_of
from green_callbacks.ledger.project_totals import Closings, closings_of
from green_callbacks.registry import BudgetRegistry, Entry
from green_callbacks.units import Quantity


def enter_ledgers(registry: BudgetRegistry, *, project: str, quantity: Quantity, state: RunState) -> None:
    """Enter what the ledgers of a project tell, and say which of them count in part or not at all.

    A file that cannot be read does not count. Runs inside which this run lies are left out, because this run and its
    siblings tell their energy themselves.

    Args:
        registry: The registry.
        project: Folder or glob pattern of the project.
        quantity: What the budget limits.
        state: This run, which is left out.
    """
    own = identity_of(state.ledger) if state.ledger else None
    paths = (path for path in ledgers_of(project) if own is None or identity_of(path) != own)
    found = closings_of(paths, but=state.run_id)
    _say_left_out(project, found, state)
    around = set(parent_runs())
    registry.enter(
        [
            Entry(each.run_id, each.emissions_kg if quantity == "emissions_kg" else each.facility_kwh)
            for each in found.closings
            if each.run_id and each.run_id not in around
        ]
    )


def _say_left_out(project: str, found: Closings, state: RunState) -> None:
    for what, said in {
        "%d of the project's ledgers cannot be read and do not count. %s": found.unread,
        "%d of the project's ledgers are damaged and count in part. %s": found.damaged,
        "%d of the project's runs stand in several ledgers. %s": found.copies,
    }.items():
        if said:
            state.notices.say(f"{project}: {what}", what, len(said), said[0])

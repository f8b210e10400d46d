"""The runs of a project that claim nothing. Their ledgers tell a registry what they have spent."""

from collections.abc import Sequence

from green_callbacks.accountant.ranks.host import host_name
from green_callbacks.accountant.setup.parent_run import parent_runs
from green_callbacks.accountant.setup.resume import RunState
from green_callbacks.ledger import NestedRun
from green_callbacks.ledger.index.ledger_index import LedgerIndex
from green_callbacks.ledger.project_ledgers import folder_of, identity_of, ledgers_of
from green_callbacks.ledger.project_totals import CountedOnce, ProjectRun, ProjectRuns, count_once, runs_of
from green_callbacks.registry import Entry
from green_callbacks.units import Quantity


def ledger_entries(project: str, quantity: Quantity, state: RunState, index: LedgerIndex | None = None) -> list[Entry]:
    """Return what the ledgers of a project tell, and say which of them count in part or not at all.

    A file that cannot be read does not count. What several processes measured at the same time counts once. Of a run
    that lies around other runs, only the energy outside them counts, because the others count by themselves.

    Args:
        project: Folder or glob pattern of the project.
        quantity: What the budget limits.
        state: This run, which is left out.
        index: The index of the project, which reads on where it has stopped. Defaults to a new one.
    """
    # What another run measured together with this one counts in part, which only both ledgers tell.
    is_told = state.ledger is not None and len(state.history) > 0
    own = identity_of(state.ledger) if state.ledger and not is_told else None
    paths = (path for path in ledgers_of(project) if own is None or identity_of(path) != own)
    index = index or LedgerIndex(folder_of(project))
    found = runs_of(paths, but="" if is_told else state.run_id, index=index)
    is_found = any(run.run_id == state.run_id for run in found.runs)
    once = count_once(found.runs, own=None if is_found else _own(state), index=index)
    _say_left_out(project, found, state)
    amounts = zip(found.runs, _amounts(found.runs, once, quantity, state), strict=True)
    return [
        Entry(run.run_id, each, str(run.path), is_closed=run.entry.is_closed)
        for run, each in amounts
        if run.run_id != state.run_id
    ]


def _own(state: RunState) -> NestedRun:
    """Return this run up to now."""
    history = state.history
    sessions = (*state.sessions, parent_runs())
    devices = list(history.device_methods()) or None
    return NestedRun(
        state.run_id, sessions, host_name(), devices, history.facility_kwh, seconds=history.duration_seconds
    )


def _amounts(runs: Sequence[ProjectRun], once: CountedOnce, quantity: Quantity, state: RunState) -> list[float]:
    """Return what each run has spent outside the runs that lie inside it, in the unit of the budget."""
    closings = [counted or run.entry.closing for run, counted in zip(runs, once.closings, strict=True)]
    is_carbon, history = quantity == "emissions_kg", state.history
    whole = [each.emissions_kg if is_carbon else each.facility_kwh for each in closings]
    alone = list(whole)
    for at, holders in enumerate(once.inside):
        if not holders:
            continue
        holder = holders[0]
        if _is_around(runs[at], runs[holder]):
            alone[at] = 0.0  # it did not end, and tells less than the runs inside it, which count by themselves
        else:
            alone[holder] -= whole[at]
    if once.own_in:
        alone[once.own_in[0]] -= history.emissions_kg if is_carbon else history.facility_kwh
    return [max(amount, 0.0) for amount in alone]


def _is_around(run: ProjectRun, other: ProjectRun) -> bool:
    return any(run.run_id in session for session in other.entry.nested.sessions)


def _say_left_out(project: str, found: ProjectRuns, state: RunState) -> None:
    for what, said in {
        "%d of the project's ledgers cannot be read and do not count. %s": found.unread,
        "%d of the project's ledgers are damaged and count in part. %s": found.damaged,
        "%d of the project's runs stand in several ledgers. %s": found.copies,
    }.items():
        if said:
            state.notices.say(f"{project}: {what}", what, len(said), said[0])

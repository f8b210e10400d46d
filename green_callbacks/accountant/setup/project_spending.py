"""The spending of the other runs of a project, by their ledgers."""

import glob
import os
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from green_callbacks.accountant.notices import Notices
from green_callbacks.ledger import NestedRun
from green_callbacks.ledger.index import LedgerIndex
from green_callbacks.ledger.project_ledgers import folder_of, identity_of, ledgers_of
from green_callbacks.ledger.project_totals import Closings, closings_of
from green_callbacks.policies import Policy, SharedBudget, title_of
from green_callbacks.units import described


def with_project_spending(
    policies: Sequence[Policy],
    ledger: Path | None,
    run_id: str = "",
    notices: Notices | None = None,
    own: NestedRun | None = None,
    own_kg: float = 0.0,
) -> tuple[Policy, ...]:
    """Tell the budgets of projects what other runs have spent.

    Reads the closing line of every ledger of the projects, and the records of ledgers without a closing line. A file
    that cannot be read does not count, and is reported once.

    Args:
        policies: The policies of a run.
        ledger: The ledger of this run, which is left out, or None if it has none.
        run_id: Name of this run, of which copies are left out too.
        notices: Where to say what does not count.
        own: This run up to now, if it goes on. Defaults to None.
        own_kg: Its emissions up to now, in kgCO2e. Defaults to 0.

    Returns:
        The policies, those budgets with ``spent_before``.
    """
    notices = notices or Notices()
    return tuple(
        _with_spending(policy, ledger, notices, own or NestedRun(run_id, (), ""), own_kg)
        if isinstance(policy, SharedBudget) and policy.project
        else policy
        for policy in policies
    )


def _with_spending(
    budget: SharedBudget, ledger: Path | None, notices: Notices, own: NestedRun, own_kg: float
) -> SharedBudget:
    project = str(budget.project)
    if not _holds(project, ledger):
        notices.say(f"{project} without this run", "Later runs of %s will not count this one%s", project, _why(ledger))
    identity = identity_of(ledger) if ledger else None
    paths = (path for path in ledgers_of(project) if identity is None or identity_of(path) != identity)
    others = closings_of(paths, but=own.run_id, own=own, index=LedgerIndex(folder_of(project)))
    _say_left_out(project, others, notices)
    kg = sum(closing.emissions_kg for closing in others.closings)
    kwh = sum(closing.facility_kwh for closing in others.closings)
    if others.hold_own:  # this run counts its own energy itself
        kg, kwh = max(kg - own_kg, 0.0), max(kwh - own.facility_kwh, 0.0)
    return _after_others(budget, kg, kwh, notices)


def _why(ledger: Path | None) -> str:
    """Return why a project does not count a run, with the remedy."""
    if ledger is None:
        return ", because its ledger is turned off. Leave out ledger=False."
    return (
        f", because its ledger is {ledger}. Name a project whose folder holds that ledger, "
        "or set GREEN_CALLBACKS_LEDGER_FOLDER to a folder inside the project."
    )


def _say_left_out(project: str, others: Closings, notices: Notices) -> None:
    """Say which ledgers of a project count in part or not at all."""
    for what, said in {
        "%d of the project's ledgers cannot be read and do not count. %s": others.unread,
        "%d of the project's ledgers are damaged and count in part. %s": others.damaged,
        "%d of the project's runs stand in several ledgers. %s": others.copies,
    }.items():
        if said:
            notices.say(f"{project}: {what}", what, len(said), said[0])


def _after_others(budget: SharedBudget, kg: float, kwh: float, notices: Notices) -> SharedBudget:
    """Return the budget with the spending of other runs deducted, or the budget itself if it fails."""
    try:
        return _checked(budget.after_others(kg, kwh))
    # A budget may be the user's own: a fault in it must not cost them their training.
    except Exception as failure:  # noqa: BLE001
        notices.say(
            f"{budget.project} not deducted",
            "%s cannot deduct what other runs of %s have spent (%s: %s). It counts this run alone. Mend its "
            "after_others().",
            title_of(budget),
            budget.project,
            type(failure).__name__,
            failure,
        )
        return budget


def _checked(answer: object) -> SharedBudget:
    if not isinstance(answer, SharedBudget):
        msg = f"after_others() answered {described(answer)}"
        raise TypeError(msg)
    return answer


def _holds(project: str, ledger: Path | None) -> bool:
    """Return whether a ledger that may not exist yet will be found in a project."""
    if ledger is None:
        return False
    if glob.has_magic(project) and not os.path.isdir(project):  # noqa: PTH112  never raises
        return fnmatch(str(ledger.absolute()), str(Path(project).absolute()).replace("**/", "*"))
    folder, own = Path(os.path.realpath(project)), Path(os.path.realpath(ledger))  # loops of links raise nothing here
    return own.is_relative_to(folder) and not any(part.startswith(".") for part in own.relative_to(folder).parts)

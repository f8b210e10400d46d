"""What the other runs of a project have spent, by their ledgers."""

import glob
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from green_callbacks.errors import LedgerError
from green_callbacks.policies import CarbonBudget, Policy
from green_callbacks.records import History
from green_callbacks.sinks import read_ledger

logger = logging.getLogger(__name__)

FOLDER: Final = "green_callbacks"
"""The folder in which the runs of a log folder keep their ledgers."""

_LEDGERS: Final = ("*.jsonl", f"**/{FOLDER}/*.jsonl")


def with_project_spending(policies: Sequence[Policy], ledger: Path | None) -> tuple[Policy, ...]:
    """Tell the budgets of projects what other runs have spent.

    Reads every ledger of the projects, at some 16 records a millisecond. What cannot be read is warned of once and does
    not count.

    Args:
        policies: The policies of a run.
        ledger: The ledger of this run, which is left out; None if it has none.

    Returns:
        The policies, those budgets with ``spent_before``.
    """
    return tuple(
        _told(policy, policy.project, ledger) if isinstance(policy, CarbonBudget) and policy.project else policy
        for policy in policies
    )


def _told(budget: CarbonBudget, project: str, ledger: Path | None) -> CarbonBudget:
    if not _holds(project, ledger):
        logger.warning(
            "Later runs of %s will not count this one, whose ledger is %s. Let the project's folder hold it.",
            project,
            ledger or "turned off",
        )
    own = ledger.resolve() if ledger else None
    others = _histories(path for path in ledgers_of(project) if path.resolve() != own)
    spent = sum(history.emissions_kg if budget.counts_emissions else history.facility_kwh for history in others)
    return replace(budget, spent_before=budget.spent_before + spent)


def ledgers_of(project: str) -> list[Path]:
    """Find the ledgers of a project.

    Args:
        project: A folder, or a pattern of files in which ``**`` stands for any folders.

    Returns:
        The files, each once; none where there is no such folder yet.
    """
    folder = Path(project)
    if folder.is_dir():
        return sorted({path for pattern in _LEDGERS for path in folder.glob(pattern)})
    return sorted(Path(path) for path in glob.glob(project, recursive=True))  # noqa: PTH207  absolute patterns too


def _holds(project: str, ledger: Path | None) -> bool:
    """Tell whether a ledger that may not exist yet will be found in a project."""
    if ledger is None:
        return False
    if glob.has_magic(project) and not Path(project).is_dir():
        return fnmatch(str(ledger.absolute()), str(Path(project).absolute()).replace("**/", "*"))
    folder, own = Path(project).resolve(), ledger.resolve()
    return own.parent == folder or (own.is_relative_to(folder) and own.parent.name == FOLDER)


def _histories(paths: Iterable[Path]) -> list[History]:
    histories, unread = [], []
    for path in paths:
        try:
            histories.append(read_ledger(path).history)
        except LedgerError as reason:
            unread.append(str(reason))
    if unread:
        logger.warning("%d of the project's ledgers cannot be read and do not count. %s", len(unread), unread[0])
    return histories

"""Gives the runs of a page the names that TensorBoard gives them."""

from collections import Counter
from collections.abc import Container, Sequence
from typing import Final

from green_callbacks.ledger.project_ledgers import FOLDER
from green_callbacks.page.collection import CollectedRun

_SUFFIX: Final = ".jsonl"


def names_of(runs: Sequence[CollectedRun], known: Container[str] = ()) -> dict[str, str]:
    """Return the name of each run, which is the name in TensorBoard where TensorBoard knows the run.

    Args:
        runs: The runs.
        known: Names of the runs that TensorBoard knows. Defaults to none.

    Returns:
        The names by the keys of the ledgers. A run that TensorBoard does not know has the name of its folder, and of
        its file where the folder holds several. If several ledgers belong to one run of TensorBoard, each name also
        has the time at which the run began.

    Example:
        >>> names_of([])
        {}
    """
    names, folders = {}, Counter(_above(run) for run in runs)
    for run in runs:
        known_name = _known_name(run, known)
        names[run.found.key] = known_name or _own_name(run, is_alone=folders[_above(run)] == 1)
    for more in (_beginning, lambda run: run.found.relative):  # a run and its copy begin in the same second
        uses = Counter(names.values())
        for run in runs:
            if uses[names[run.found.key]] > 1:
                names[run.found.key] += f" ({more(run)})"
    return names


def _above(run: CollectedRun) -> str:
    """Return the folder of a run. Its ledger lies there, or in a folder of ledgers there."""
    *folders, _ = run.found.relative.split("/")
    return "/".join(folders[:-1] if folders[-1:] == [FOLDER] else folders)


def _known_name(run: CollectedRun, known: Container[str]) -> str | None:
    above = _above(run)
    names = (_joined(above, run.run_id), above or ".", _joined(above, FOLDER, run.run_id))
    return next((name for name in names if name in known), None)


def _own_name(run: CollectedRun, *, is_alone: bool) -> str:
    above = _above(run)
    return above if above and is_alone else _joined(above, run.found.path.name.removesuffix(_SUFFIX))


def _joined(*parts: str) -> str:
    return "/".join(part for part in parts if part)


def _beginning(run: CollectedRun) -> str:
    began_at = run.overview.began_at if run.overview is not None else None
    return run.run_id if began_at is None else f"{began_at:%Y-%m-%d %H:%M:%S}"

"""Gives the runs of a page the names that TensorBoard gives them."""

from collections import Counter
from collections.abc import Container, Sequence
from functools import lru_cache
from typing import Final

from green_callbacks.ledger.project_ledgers import FOLDER
from green_callbacks.page.collection import CollectedRun

_SUFFIX: Final = ".jsonl"

_MOST_PATHS: Final = 20_000
"""Number of paths whose folders are kept, more than a page shows."""


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
    above = [_above(run.found.relative) for run in runs]
    number = Counter(above)
    names = {
        run.found.key: _known_name(folder, run.run_id, known) or _own_name(folder, run, is_alone=number[folder] == 1)
        for folder, run in zip(above, runs, strict=True)
    }
    for more in (_beginning, lambda run: run.found.relative):  # a run and its copy begin in the same second
        uses = Counter(names.values())
        for run in runs:
            if uses[names[run.found.key]] > 1:
                names[run.found.key] += f" ({more(run)})"
    return names


@lru_cache(_MOST_PATHS)
def _above(relative: str) -> str:
    """Return the folder of a run. Its ledger lies there, or in a folder of ledgers there."""
    *folders, _ = relative.split("/")
    return "/".join(folders[:-1] if folders[-1:] == [FOLDER] else folders)


def _known_name(folder: str, run_id: str, known: Container[str]) -> str | None:
    names = (_joined(folder, run_id), folder or ".", _joined(folder, f"{FOLDER}/{run_id}"))
    return next((name for name in names if name in known), None)


def _own_name(folder: str, run: CollectedRun, *, is_alone: bool) -> str:
    return folder if folder and is_alone else _joined(folder, run.found.path.name.removesuffix(_SUFFIX))


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _beginning(run: CollectedRun) -> str:
    began_at = run.overview.began_at if run.overview is not None else None
    return run.run_id if began_at is None else f"{began_at:%Y-%m-%d %H:%M:%S}"

"""Which processes are this one's: itself and its descendants."""

import os
from collections.abc import Collection

from green_callbacks.sources.job.operating_system import system_errors


class ProcessFamily:
    """This process and its descendants, asked for by id.

    Only the processes that are asked for are looked at, never the list of all. A descendant stays one while it is
    asked for again and again, though its parent has ended meanwhile.
    """

    def __init__(self) -> None:
        self._known: dict[int, bool] = {}

    def among(self, pids: Collection[int]) -> frozenset[int]:
        """Return those of some processes that are of the family.

        Args:
            pids: Ids of processes, as this process would see them.
        """
        self._known = {pid: self._known[pid] if pid in self._known else _is_ours(pid) for pid in pids}
        return frozenset(pid for pid, ours in self._known.items() if ours)


def _is_ours(pid: int) -> bool:
    own = os.getpid()
    if pid == own:
        return True
    try:
        import psutil

        return any(ancestor.pid == own for ancestor in psutil.Process(pid).parents())
    except system_errors():  # it is not there, or has ended just now
        return False

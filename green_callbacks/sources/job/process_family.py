"""This process and its descendants, told from other processes."""

import os
from collections.abc import Collection

from green_callbacks.sources.job.operating_system import system_errors


class ProcessFamily:
    """This process and its descendants, asked for by id.

    Only the given processes are checked, never the list of all. A descendant stays in the family as long as every
    request names it, although its parent has ended meanwhile.
    """

    def __init__(self) -> None:
        self._known: dict[int, bool] = {}

    def among(self, pids: Collection[int]) -> frozenset[int]:
        """Return the processes that belong to the family.

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
    except system_errors():  # the process does not exist here, or has just ended
        return False

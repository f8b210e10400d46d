"""The live runs of other processes, and when each of them measured."""

import time
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Final, NamedTuple

from green_callbacks.accountant.presence.live_file import LiveFolder, LiveRunFile
from green_callbacks.accountant.setup.parent_run import ParentRun

BEAT_SECONDS: Final = 60.0
"""Interval, in s, at which a live run renews its file. A file that nobody renews belongs to a killed run."""
SILENT_SECONDS: Final = 3 * BEAT_SECONDS
"""Time without a sign of life, in s, after which a run of another machine or container counts as killed."""
_ASK_SECONDS: Final = 0.2
"""Time in s, for each known run, until the system is asked again for a process. By experiment, an answer takes 0.1 ms,
so the processes of a search never take more than some 0.1 % of a core for this."""
STALE_SECONDS: Final = 86_400.0
"""Time without a sign of life, in s, after which anybody removes a file. No suspended machine is expected back then."""


class OtherRun(NamedTuple):
    """A run of another process, and the time in which it measured.

    Attributes:
        run: The run.
        ended: When it ended, in s since 1970. Infinite while it lives.
        is_of_project: Whether a project of this run counts it.
    """

    run: LiveRunFile
    ended: float
    is_of_project: bool


class OtherRuns:
    """Finds the live runs of other processes, and remembers those that have ended.

    A run that has ended counts up to the last time when it was seen alive. So a part of its last seconds may be taken
    for this run's alone, which never hides energy from a budget.

    Args:
        own: The file of this run.
        of_user: The folder of the user, or None if there is none.
        of_projects: The folders of the projects.
        roots: The folders below which the ledgers of the projects lie.
    """

    def __init__(
        self, own: LiveRunFile, of_user: LiveFolder | None, of_projects: Sequence[LiveFolder], roots: Iterable[Path]
    ) -> None:
        self._own = own
        self._here = ParentRun.here(own.run_id)
        self._of_user = of_user
        self._of_projects = of_projects
        self._roots = tuple(roots)
        self._known: dict[str, OtherRun] = {}
        self._seen: dict[str, float] = {}
        self._answers: dict[str, tuple[float, bool | None]] = {}

    def look(self, since: float = 0.0) -> Mapping[str, OtherRun]:
        """Look who lives. Takes two listings of folders, and a look at each process.

        Args:
            since: Time in s since 1970. Runs that ended before it are forgotten. Defaults to 0, for no such run.

        Returns:
            The runs that were seen so far and whose devices this run may share, by the names of their files.
        """
        now = time.time()
        found: dict[str, tuple[LiveRunFile, bool]] = {}
        for folder in self._of_projects:
            found |= {name: (run, True) for name, run in self._living(folder, now)}
        if self._of_user is not None:
            found |= {
                name: (run, found[name][1] if name in found else self._is_of_project(run))
                for name, run in self._living(self._of_user, now)
            }
        known = {name: other for name, other in self._known.items() if other.ended >= since}
        for name, (run, is_of_project) in found.items():
            known[name] = OtherRun(run, inf, is_of_project)
            self._seen[name] = now
        for name in known.keys() - found.keys():
            if known[name].ended == inf:  # ended, killed or silent since the last look
                known[name] = known[name]._replace(ended=self._seen[name])
        self._known, self._seen = known, {name: self._seen[name] for name in known}
        self._answers = {name: answer for name, answer in self._answers.items() if name in found}
        return known

    def _living(self, folder: LiveFolder, now: float) -> Iterable[tuple[str, LiveRunFile]]:
        """Yield the living runs of a folder that count, and remove the files of killed runs."""
        for name, (run, seen_at) in folder.runs().items():
            if run.process == self._own.process or run.run_id == self._own.run_id or self._is_around(run):
                continue
            is_alive = self._is_known_to_live(name, run)
            if is_alive is False:
                folder.remove(name)
            elif is_alive or now - seen_at < SILENT_SECONDS:
                yield name, run
            else:
                self._seen[name] = seen_at
                if now - seen_at > STALE_SECONDS:
                    folder.remove(name)

    def _is_known_to_live(self, name: str, run: LiveRunFile) -> bool | None:
        """Return what :meth:`LiveRunFile.is_known_to_live` answers, asked more rarely the more runs there are."""
        asked_at, answer = self._answers.get(name, (-inf, None))
        now = time.monotonic()
        if now - asked_at >= _ASK_SECONDS * len(self._known):
            answer = run.is_known_to_live(self._here)
            self._answers[name] = (now, answer)
        return answer

    def _is_around(self, run: LiveRunFile) -> bool:
        """Return whether one of both runs measures the process of the other, so that a sum counts one of them."""
        return run.run_id in self._own.parents or self._own.run_id in run.parents

    def _is_of_project(self, run: LiveRunFile) -> bool:
        if not set(run.budgets).isdisjoint(self._own.budgets):  # of a database, so the ledgers may lie anywhere
            return True
        return bool(run.ledger) and any(Path(run.ledger).is_relative_to(root) for root in self._roots)

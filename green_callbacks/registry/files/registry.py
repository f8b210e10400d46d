"""A registry of files in the folder of the project. It needs no server, no lock and no other package."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import time
from typing import Final

from green_callbacks.registry.claim_checks import check_amount, check_limit, checked_claim, checked_entry
from green_callbacks.registry.files.asking import Asking, View
from green_callbacks.registry.files.budget_folder import budget_folder
from green_callbacks.registry.files.file_format import Content, encoded, encoded_limit
from green_callbacks.registry.files.first_claims import next_told
from green_callbacks.registry.files.folder_files import FolderFiles
from green_callbacks.registry.files.folder_writing import file_system_time, make_folders, write_file, write_kept
from green_callbacks.registry.files.folding import fold
from green_callbacks.registry.files.known_runs import Known
from green_callbacks.registry.files.told_sessions import SessionKey, Told, age
from green_callbacks.registry.protocol import (
    DEAD_SECONDS,
    Claim,
    Entry,
    RegisteredRun,
    RegistryUnavailableError,
    RunState,
    Standing,
)
from green_callbacks.text.log import get_logger
from green_callbacks.units import Quantity

logger = get_logger(__name__)

_ENTRIES_PER_FILE: Final = 1_000
"""Number of totals in a file. With the longest paths, the file stays below the size that readers accept."""


class FilesRegistry:
    """The budget of a project in small files, inside the folder of the project.

    Every session of a run writes a file of its own, and reads the files of all others. It writes what it wants before
    it reads. So of two runs that ask at the same moment, at least one sees the other. This needs no lock, and also
    works on network file systems. On NFS, the first file of a new run may stay unseen for up to a minute.

    Spending stays spent, even if somebody deletes the ledger of a run. To begin anew, delete the folder of the budget
    while no run is live. A project inside another one has a budget of its own. The outer project counts the runs of the
    inner one by their ledgers.

    Args:
        project: Folder or glob pattern of the project's ledgers. The folder is made at the first claim.
        quantity: Quantity of the budget. Budgets in kgCO2e and in kWh are kept apart.

    Example:
        >>> from tempfile import mkdtemp
        >>> registry = FilesRegistry(mkdtemp(), "emissions_kg")
        >>> claim = Claim(run_id="digits", session="a1", spent=0.2, under_way=0.1, wanted=0.1, limit=2.0)
        >>> registry.claim(claim).is_granted
        True
        >>> [run.held for run in registry.runs()]
        [0.2]

    Attributes:
        folder: Folder of the budget.
    """

    def __init__(self, project: str | os.PathLike[str], quantity: Quantity) -> None:
        self.folder: Final = budget_folder(project, quantity)
        self._files = FolderFiles(self.folder)
        self._own: dict[SessionKey, Told] = {}
        self._now = 0.0
        self._last: Known | None = None
        self._rivalled: set[str] = set()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r})"

    def claim(self, claim: Claim) -> Standing:
        """Settle the total of a run, and hold what it expects to spend. The protocol says more.

        Args:
            claim: What the run tells.

        Returns:
            Where the budget stands.

        Raises:
            ConfigurationError: The claim holds values that cannot be.
            RegistryUnavailableError: The folder cannot be written or read.
        """
        claim = checked_claim(claim)
        with self._guarded():
            self._prepare()
            told = next_told(claim, self._own.get((claim.run_id, claim.session)), self._known)
            limit = self._files.set_limit()
            if claim.wanted == 0:
                answer = View(self._tell(told), told, claim).standing(limit, is_granted=True)
            else:
                answer = Asking(claim, limit, self._tell, self._write).ask(told)
            with suppress(OSError):  # the claim has its answer, and the next one will say that the disk is full
                fold(self._files, self._now)
            self._say_rival(claim)
        return answer

    def enter(self, entries: Iterable[Entry]) -> None:
        """Enter the totals of runs that do not claim. A run keeps the largest of its totals.

        Args:
            entries: The runs.

        Raises:
            ConfigurationError: A total holds values that cannot be.
            RegistryUnavailableError: The folder cannot be written or read.
        """
        checked = [checked_entry(entry) for entry in entries]
        with self._guarded():
            known = self._known()
            runs = known.runs()
            dead = {each.run_id for each in checked if each.is_closed and _is_dead(runs.get(each.run_id))}
            news = sorted(each for each in checked if each.run_id in dead or _is_news(each, runs.get(each.run_id)))
            if not news:
                return
            self._prepare()
            for at in range(0, len(news), _ENTRIES_PER_FILE):
                content = Content(entries=news[at : at + _ENTRIES_PER_FILE])
                write_kept(self._files.kept, "entered", encoded(content))
            if dead:
                ends = [max(known.sessions_of(name).values(), key=age).mark for name in sorted(dead)]
                write_kept(self._files.kept, "ended", encoded(Content(ends=ends)))

    def runs(self) -> Sequence[RegisteredRun]:
        """Return all runs, in the order of their names.

        Raises:
            RegistryUnavailableError: The folder cannot be read.
        """
        with self._guarded():
            return [run for _, run in sorted(self._known().runs().items())]

    def set_limit(self, limit: float | None) -> None:
        """Set the budget for all runs, or let their scripts decide again.

        Args:
            limit: The budget in kgCO2e or kWh, or None.

        Raises:
            ConfigurationError: The limit is not above 0.
            RegistryUnavailableError: The folder cannot be written.
        """
        check_limit(limit)
        with self._guarded():
            if limit is None:
                self._files.limit.unlink(missing_ok=True)
            else:
                self._prepare()
                write_file(self._files.limit, encoded_limit(limit), is_durable=True)

    def set_limit_now(self) -> float | None:
        """Return the limit that was set, or None.

        Raises:
            RegistryUnavailableError: The folder cannot be read.
        """
        with self._guarded():
            return self._files.set_limit()

    def settle_dead(self, silent_seconds: float | None = None) -> Sequence[RegisteredRun]:
        """Let what silent runs hold count as spent.

        Args:
            silent_seconds: Time since the last claim, in s, from which on a run counts as dead. Defaults to
                :data:`~green_callbacks.registry.DEAD_SECONDS`.

        Returns:
            The runs that were settled now.

        Raises:
            RegistryUnavailableError: The folder cannot be written or read.
        """
        seconds = DEAD_SECONDS if silent_seconds is None else silent_seconds
        check_amount("silent_seconds", seconds)
        with self._guarded():
            known = self._known()
            silent = [told for told in known.last_fresh() if told.is_dead(known.now, (), seconds)]
            settled = known.kept.marks | known.kept.ends
            marks = [told.mark for told in silent if told.mark not in settled]
            if not marks:
                return []
            write_kept(self._files.kept, "dead", encoded(Content(marks=marks)))
            runs = self._known().runs()
            return [runs[mark.run_id] for mark in sorted(marks) if runs[mark.run_id].state is RunState.DEAD]

    def close(self) -> None:
        """Do nothing, because no file stays open."""

    def _prepare(self) -> None:
        """Make the folders. If somebody has removed them, write again what this process has read."""
        if self._files.runs.is_dir() and self._files.kept.is_dir():
            return
        make_folders(self._files.runs, self._files.kept)
        if self._last is None or not (self._last.fresh or self._last.kept.runs):
            return
        logger.warning(
            "Somebody has removed the folder %s of a shared budget while runs go on. What this run knew of it is "
            "written again. Leave the folder until all runs have ended.",
            self.folder,
        )
        kept = self._last.kept
        others = [told for key, told in self._last.fresh.items() if key not in self._own]
        others += [told for of_run in kept.sessions.values() for told in of_run.values()]
        content = Content(others, list(kept.entries.values()), list(kept.marks), list(kept.ends))
        write_kept(self._files.kept, "restored", encoded(content))

    def _known(self) -> Known:
        self._last = self._files.read(self._time())
        return self._last

    def _time(self) -> float:
        """Return the time by the clock of the file system. Where nothing can be written, it is the machine's."""
        try:
            return file_system_time(self._files.runs)
        except OSError:
            return time()

    def _say_rival(self, claim: Claim) -> None:
        """Say once if a later session of the run has begun, though this one goes on."""
        if self._last is None or claim.run_id in self._rivalled or claim.is_ended:
            return
        *_, last = sorted(self._last.sessions_of(claim.run_id).values(), key=age)
        if last.session != claim.session:
            self._rivalled.add(claim.run_id)
            logger.warning(
                "Another process goes on with the run %s%s, and so does this one. The shared budget counts both. "
                "End one of them, or start it as a new run.",
                claim.run_id,
                f" on {last.host}" if last.host else "",
            )

    def _write(self, told: Told) -> None:
        path = self._files.runs / told.file_name
        # A crash of the machine may lose this claim. Then the ledger of the run tells its total.
        self._now = write_file(path, encoded(Content([told])))
        self._own[told.key] = told

    def _tell(self, told: Told) -> Known:
        self._write(told)
        self._last = self._files.read(self._now)
        return self._last

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as reason:
            msg = (
                f"The folder {self.folder} of a shared budget cannot be used ({reason.strerror or reason}). Free the "
                "disk, let this user write the folder, or name a registry=."
            )
            raise RegistryUnavailableError(msg) from reason


def _is_news(entry: Entry, known: RegisteredRun | None) -> bool:
    if known is None:
        return True
    return known.state is not RunState.LIVE and entry.spent > known.spent


def _is_dead(run: RegisteredRun | None) -> bool:
    return run is not None and run.state is RunState.DEAD

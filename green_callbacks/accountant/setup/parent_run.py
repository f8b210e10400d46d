"""The run of ``green-callbacks run`` inside which this process runs, as a variable of the environment tells it.

The command measures everything that it starts. A script inside it that measures itself learns from the variable that
its energy is also in the energy of the command, so that a sum counts it once.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from green_callbacks.accountant.energy.lap_vectors import DeviceSlot
from green_callbacks.accountant.notices import Notices
from green_callbacks.configuration import PARENT_VARIABLE
from green_callbacks.small_files import read_or_empty
from green_callbacks.sources.job.operating_system import system_errors
from green_callbacks.text import is_plain_name

_MOST_RUNS: Final = 32
"""Largest number of runs inside one another. A ledger names as many."""
_MOST_SECONDS: Final = 60.0
"""Largest difference between two statements about when one process began, in s. Setting the clock moves them."""
_START_TIME: Final = 19
"""Place of the start time, in clock ticks since boot, among the fields of a process after its name. From proc(5)."""
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_PROCESS_IDS: Final = Path("/proc/self/ns/pid")


@dataclass(frozen=True, slots=True)
class ParentRun:
    """A run that measures a process and everything that this process starts.

    Attributes:
        run_id: Name of the run.
        machine: Identity of the machine. Empty if only the name is known.
        process_ids: The name space of its process id. Empty if unknown.
        pid: Id of the process that measures.
        began: When that process began, in s since 1970.

    Example:
        >>> ParentRun.here("outer").is_live
        True
    """

    run_id: str
    machine: str
    process_ids: str
    pid: int
    began: float

    @classmethod
    def here(cls, run_id: str) -> Self:
        """Return a run that this process measures.

        Args:
            run_id: Name of the run.
        """
        pid = os.getpid()
        return cls(run_id, _machine(), _name_space(), pid, _began(pid) or 0.0)

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read what :meth:`encode` wrote.

        Args:
            text: A part of the variable. The name alone is enough, and such a run always counts as live.

        Raises:
            ValueError: The text is no such run.
        """
        run_id, *rest = text.split("/")
        if not is_plain_name(run_id):
            raise ValueError(run_id)
        if not rest:
            return cls(run_id, "", "", 0, 0.0)
        machine, process_ids, pid, began = rest
        return cls(run_id, machine, process_ids, int(pid), float(began))

    def encode(self) -> str:
        """Return the run as a part of the variable."""
        if not self.machine:
            return self.run_id
        return f"{self.run_id}/{self.machine}/{self.process_ids}/{self.pid}/{self.began:.0f}"

    @property
    def is_live(self) -> bool:
        """Whether the run still measures this machine.

        A variable outlives its run in a process that goes on in the background, and it travels to other machines. A
        process of another container cannot be looked up, so it counts as live.
        """
        if not self.machine:
            return True
        if self.machine != _machine():
            return False
        if self.process_ids != _name_space():
            return True
        began = _began(self.pid)
        return began is not None and abs(began - self.began) <= _MOST_SECONDS


def parent_runs(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the runs inside which this process runs.

    Args:
        environ: Environment variables. Defaults to ``os.environ``.

    Returns:
        Their names, the nearest first. Empty outside any run. Runs that have ended, or that measure another machine,
        do not count. Neither does a variable that this version cannot read.

    Example:
        >>> parent_runs({"GREEN_CALLBACKS_PARENT": "inner,outer"})
        ('inner', 'outer')
    """
    return tuple(dict.fromkeys(run.run_id for run in _found(environ) if run.is_live))


def parents_of_run(
    slots: Sequence[DeviceSlot], notices: Notices, environ: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """Return the runs whose energy includes the energy of a run that this process begins.

    Args:
        slots: The devices of all ranks.
        notices: Receives why the variable does not count.
        environ: Environment variables. Defaults to ``os.environ``.

    Returns:
        Their names, the nearest first. Empty for a run on several hosts, because the command measures one host.
    """
    parents = parent_runs(environ)
    said = environ.get(PARENT_VARIABLE, "")
    if said and len(_found(environ)) < len(said.split(",")[:_MOST_RUNS]):
        notices.say(PARENT_VARIABLE, "%s names no run, so this run counts by itself. Unset it.", PARENT_VARIABLE)
    if parents and any(slot.name != slot.local_name for slot in slots):
        notices.say(
            PARENT_VARIABLE,
            "This run has devices on several hosts, and run %s around it measures one of them. A sum of both counts "
            "that host twice. Start the training without `green-callbacks run`.",
            parents[0],
        )
        return ()
    return parents


def with_parent(run_id: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for the processes of a run that this process measures.

    Args:
        run_id: Name of the run.
        environ: Environment variables. Defaults to ``os.environ``.

    Example:
        >>> parent_runs(with_parent("inner", with_parent("outer", {})))
        ('inner', 'outer')
    """
    runs = [ParentRun.here(run_id), *(run for run in _found(environ) if run.is_live)]
    return {**environ, PARENT_VARIABLE: ",".join(run.encode() for run in runs[:_MOST_RUNS])}


def _found(environ: Mapping[str, str]) -> list[ParentRun]:
    found = []
    for part in environ.get(PARENT_VARIABLE, "").split(",")[:_MOST_RUNS]:
        with suppress(ValueError, OverflowError):  # another version or a user wrote it
            found.append(ParentRun.decode(part))
    return found


def _machine() -> str:
    """Return the identity of this machine, which its containers share. Its name, where the kernel tells none."""
    identity = read_or_empty(_BOOT_ID)
    if identity:
        return identity
    import socket  # imported late, because it takes as long as half of the package

    with suppress(OSError):
        identity = socket.gethostname()
    return "".join(each for each in identity if each.isalnum() or each in "-.")


def _name_space() -> str:
    """Return the name space in which process ids are unique."""
    try:
        return "".join(filter(str.isdigit, str(_PROCESS_IDS.readlink())))
    except OSError:
        return ""


def _began(pid: int) -> float | None:
    """Return when a process began, in s since 1970. None if it has ended."""
    with suppress(OSError, ValueError, IndexError):
        return _began_by_proc(pid)  # every run asks this, and psutil takes long to import
    try:
        import psutil

        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except system_errors():
        return None


def _began_by_proc(pid: int) -> float | None:
    """Return what Linux tells of a process, as in :func:`_began`. The fields are described in proc(5).

    Raises:
        OSError: The system has no such files, or the process has ended.
        ValueError: They hold something else.
        IndexError: They hold less.
    """
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    state, ticks = fields[0], int(fields[_START_TIME])
    lines = Path("/proc/stat").read_text(encoding="ascii", errors="replace").splitlines()
    (booted,) = (float(line.split()[1]) for line in lines if line.startswith("btime "))
    return None if state in "ZX" else booted + ticks / os.sysconf("SC_CLK_TCK")

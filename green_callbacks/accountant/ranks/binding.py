"""Whether a process is bound to processors that no other process of its job has."""

import os
from collections.abc import Mapping

from green_callbacks.accountant.ranks.launcher import Place
from green_callbacks.sources.job.allotment import allotment
from green_callbacks.sources.job.operating_system import system_errors


def is_bound_apart(place: Place | None, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether this process is known to be bound to processors of its own.

    Slurm tells the processors of a job, which must suffice for all tasks of the machine. Otherwise the parent process
    tells, because a launcher that binds its processes may use more processors than each of them.

    Args:
        place: The place in the job of a launcher, or None if there is none.
        environ: Environment variables. Defaults to ``os.environ``.
    """
    part = allotment(environ)
    if part.affinity is None:
        return False
    if place is not None and place.launcher == "srun" and place.local_size and part.slurm_cpus:
        return len(part.affinity) * place.local_size <= part.slurm_cpus
    return _processors_of_parent() > len(part.affinity)


def _processors_of_parent() -> int:
    """Return the number of processors that the parent process may use. 0 if the system does not tell."""
    import psutil

    try:
        return len(psutil.Process(os.getppid()).cpu_affinity())
    except system_errors():  # the parent runs outside the container, or macOS binds nothing
        return 0

"""The processors and the memory of a machine that belong to this job."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from green_callbacks.sources.job.cgroup import Quota, group_name, memory_limit_bytes, memory_limit_file, quota
from green_callbacks.sources.job.operating_system import answer_or_default, cpu_count

_BUSY: Final = ("user", "nice", "system", "irq", "softirq")
_BYTES_PER_GIGABYTE: Final = 2**30
"""Number of bytes in 1 GB. Memory is sold, and its power given, in binary units."""
_MEGABYTES_PER_GIGABYTE: Final = 1024
"""Number of Slurm's megabytes in 1 GB. They are binary, too."""


@dataclass(frozen=True, slots=True)
class Allotment:
    """The processors of a machine, and the part of them that belongs to this job.

    Attributes:
        host_cpus: Number of logical processors of the machine.
        host_cores: Number of cores of the machine.
        affinity: Numbers of the processors to which this process is bound. None if it may use all.
        quota: Control group that limits its processor time. None if there is no limit.
        slurm_cpus: Number of processors that Slurm gave the job on this machine. None outside Slurm.
    """

    host_cpus: int
    host_cores: int
    affinity: tuple[int, ...] | None = None
    quota: Quota | None = None
    slurm_cpus: int | None = None

    @property
    def usable_cpus(self) -> float:
        """Number of processors that this process can keep busy."""
        bound: float = self.host_cpus if self.affinity is None else len(self.affinity)
        return min(bound, self.quota.cpus) if self.quota else bound

    @property
    def owned_cpus(self) -> float:
        """Number of processors of the job, of which this process may use only a part.

        If Slurm gave all processors to the job, its tasks may still be bound to a few each. If Slurm's number is not
        below the number of cores, it may count cores, and is ignored.
        """
        slurm = self.slurm_cpus
        if slurm is not None and slurm >= self.host_cpus:
            return min(self.host_cpus, self.quota.cpus) if self.quota else self.host_cpus
        return min(self.usable_cpus, slurm) if slurm is not None and slurm < self.host_cores else self.usable_cpus

    @property
    def is_shared(self) -> bool:
        """Whether the machine has processors that do not belong to the job."""
        return self.owned_cpus < self.host_cpus


def allotment(environ: Mapping[str, str] = os.environ) -> Allotment:
    """Find the processors of this job.

    If the operating system does not report something, Python's figures are used, with one warning.

    Args:
        environ: Environment variables. Defaults to ``os.environ``.
    """
    host_cpus = answer_or_default(
        _host_cpus, cpu_count(), "psutil does not count the processors. Python's count is used."
    )
    return Allotment(
        host_cpus=host_cpus,
        host_cores=answer_or_default(
            _host_cores, None, "psutil does not count the cores. Every logical processor counts as a core."
        )
        or host_cpus,
        affinity=_affinity(host_cpus),
        quota=quota(),
        slurm_cpus=_slurm_cpus(environ),
    )


def job_gigabytes(environ: Mapping[str, str] = os.environ) -> float | None:
    """Return the memory of the job on this machine, in GB (2³⁰ bytes).

    Args:
        environ: Environment variables. Defaults to ``os.environ``.

    Returns:
        The smallest limit of its control groups and Slurm. Without a limit, it is the whole memory if the job has all
        processors. None if others use the machine and the job's part is not known.

    Raises:
        ImportError: psutil cannot be imported.
        OSError: The operating system does not report it. Other errors of ``system_errors()`` are possible.
    """
    import psutil

    host_bytes = psutil.virtual_memory().total
    limit_bytes = memory_limit_bytes()
    limits = list(_slurm_gigabytes(environ))
    if limit_bytes is not None and limit_bytes < host_bytes:
        limits.append(limit_bytes / _BYTES_PER_GIGABYTE)
    host_gigabytes = host_bytes / _BYTES_PER_GIGABYTE
    if limits:
        return min(host_gigabytes, *limits)
    return None if allotment(environ).is_shared else host_gigabytes


def memory_name(name: str, gigabytes: float, environ: Mapping[str, str] = os.environ) -> str:
    """Return the name of the memory of this job, which other jobs and containers of the machine do not have.

    Args:
        name: Name of the memory of the whole machine.
        gigabytes: The memory of the job, as :func:`job_gigabytes` tells it.
        environ: Environment variables. Defaults to ``os.environ``.
    """
    limit_bytes, file, job = memory_limit_bytes(), memory_limit_file(), environ.get("SLURM_JOB_ID", "")
    if limit_bytes is not None and file is not None and limit_bytes / _BYTES_PER_GIGABYTE == gigabytes:
        return group_name(name, file)
    is_of_slurm = job.isascii() and job.isdecimal() and gigabytes in _slurm_gigabytes(environ)
    return f"{name}@job-{job}" if is_of_slurm else name


def _host_cpus() -> int:
    import psutil

    return int(psutil.cpu_count() or cpu_count())


def _host_cores() -> int | None:
    import psutil

    cores: int | None = psutil.cpu_count(logical=False)
    return cores


def busy_seconds(times: Any) -> float:  # noqa: ANN401  its fields differ from system to system
    """Return the cumulative busy time of processors in s, from psutil's ``cpu_times``.

    Args:
        times: The times of one processor or of all.
    """
    return float(sum(getattr(times, field, 0.0) for field in _BUSY))


def _affinity(host_cpus: int) -> tuple[int, ...] | None:
    """Return the processors to which this process is bound. None if it may use all, or if they are not known."""
    allowed = answer_or_default(
        _allowed,
        None,
        "psutil does not report to which processors this process is bound. It is assumed to use all of them.",
    )
    return tuple(sorted(allowed)) if allowed is not None and len(allowed) < host_cpus else None


def _allowed() -> Collection[int] | None:
    import psutil

    process = psutil.Process()
    if not hasattr(process, "cpu_affinity"):  # macOS
        return None
    allowed: Collection[int] = process.cpu_affinity()
    return allowed


def _slurm_cpus(environ: Mapping[str, str]) -> int | None:
    """Return Slurm's number of processors of the job on this node, else of the job step."""
    nodes = list(_per_node(environ.get("SLURM_JOB_CPUS_PER_NODE", "")))
    node = environ.get("SLURM_NODEID", "0")
    if node.isdecimal() and int(node) < len(nodes):
        return nodes[int(node)]
    on_node = environ.get("SLURM_CPUS_ON_NODE", "")
    return int(on_node) if on_node.isdecimal() and int(on_node) else None


def _per_node(text: str) -> Iterator[int]:
    """Expand Slurm's short form of one number per node. ``72(x2),36`` is 72, 72, 36."""
    for part in text.split(","):
        match = re.fullmatch(r"([1-9]\d{0,8})(?:\(x(\d{1,6})\))?", part, re.ASCII)
        if match:
            yield from [int(match[1])] * int(match[2] or 1)


def _slurm_gigabytes(environ: Mapping[str, str]) -> Iterator[float]:
    per_node, per_cpu = environ.get("SLURM_MEM_PER_NODE", ""), environ.get("SLURM_MEM_PER_CPU", "")
    cpus = _slurm_cpus(environ)
    if per_node.isdecimal() and int(per_node):  # 0 means the whole memory of the node
        yield int(per_node) / _MEGABYTES_PER_GIGABYTE
    if per_cpu.isdecimal() and int(per_cpu) and cpus:
        yield int(per_cpu) * cpus / _MEGABYTES_PER_GIGABYTE

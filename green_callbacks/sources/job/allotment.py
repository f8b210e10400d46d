"""Which part of the machine is this job's: processors and memory."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from green_callbacks.sources.job.cgroup import Quota, memory_limit_bytes, quota
from green_callbacks.sources.job.operating_system import cpu_count, told

_BUSY: Final = ("user", "nice", "system", "irq", "softirq")
_BYTES_PER_GIGABYTE: Final = 2**30
"""Memory is sold, and its power given, in these."""
_MEGABYTES_PER_GIGABYTE: Final = 1024
"""Slurm's megabytes are binary too."""


@dataclass(frozen=True, slots=True)
class Allotment:
    """The processors of a machine, and which of them this job has.

    Attributes:
        host_cpus: Logical processors of the machine.
        host_cores: Its cores.
        affinity: The processors to which this process is bound, by number; None if it may use all.
        quota: The control group that limits its processor time; None if there is none.
        slurm_cpus: Processors that Slurm gave the job on this machine; None outside Slurm.
    """

    host_cpus: int
    host_cores: int
    affinity: tuple[int, ...] | None = None
    quota: Quota | None = None
    slurm_cpus: int | None = None

    @property
    def usable_cpus(self) -> float:
        """How many processors this process can keep busy."""
        bound: float = self.host_cpus if self.affinity is None else len(self.affinity)
        return min(bound, self.quota.cpus) if self.quota else bound

    @property
    def owned_cpus(self) -> float:
        """How many processors the job has, of which this process may have a part.

        Where Slurm gave all of them to the job, its tasks may still be bound to a few each. Where it gave at least as
        many as there are cores, it may count cores, and so tells nothing.
        """
        slurm = self.slurm_cpus
        if slurm is not None and slurm >= self.host_cpus:
            return min(self.host_cpus, self.quota.cpus) if self.quota else self.host_cpus
        return min(self.usable_cpus, slurm) if slurm is not None and slurm < self.host_cores else self.usable_cpus

    @property
    def is_shared(self) -> bool:
        """Whether the machine has processors that are not the job's."""
        return self.owned_cpus < self.host_cpus


def allotment(environ: Mapping[str, str] = os.environ) -> Allotment:
    """Find out which processors this job has.

    What the operating system does not tell is taken from Python, with one warning.

    Args:
        environ: Environment variables.
    """
    host_cpus = told(_host_cpus, cpu_count(), "psutil does not count the processors. Python's count stands in.")
    return Allotment(
        host_cpus=host_cpus,
        host_cores=told(
            _host_cores, None, "psutil does not count the cores. Every logical processor is taken for a core."
        )
        or host_cpus,
        affinity=_affinity(host_cpus),
        quota=quota(),
        slurm_cpus=_slurm_cpus(environ),
    )


def job_gigabytes(environ: Mapping[str, str] = os.environ) -> float | None:
    """Return how much memory the job has on this machine, in GB (2³⁰ bytes).

    Args:
        environ: Environment variables.

    Returns:
        The tightest of what its control groups and Slurm leave it, else all there is, if all processors are the job's;
        None where others use the machine and nothing says how much is theirs.

    Raises:
        ImportError: psutil cannot be imported.
        OSError: The operating system does not tell; or another of ``system_errors()``.
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


def _host_cpus() -> int:
    import psutil

    return int(psutil.cpu_count() or cpu_count())


def _host_cores() -> int | None:
    import psutil

    cores: int | None = psutil.cpu_count(logical=False)
    return cores


def busy_seconds(times: Any) -> float:  # noqa: ANN401  its fields differ from system to system
    """Return the cumulative time in which processors were busy, in s, from psutil's ``cpu_times``."""
    return float(sum(getattr(times, field, 0.0) for field in _BUSY))


def _affinity(host_cpus: int) -> tuple[int, ...] | None:
    """Return the processors to which this process is bound; None if it may use all, or where that is not known."""
    allowed = told(
        _allowed,
        None,
        "psutil does not tell to which processors this process is bound. It is taken to use all of them.",
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
    """Return the processors of the job on this node, else those of the step, as Slurm's environment tells them."""
    nodes = list(_per_node(environ.get("SLURM_JOB_CPUS_PER_NODE", "")))
    node = environ.get("SLURM_NODEID", "0")
    if node.isdecimal() and int(node) < len(nodes):
        return nodes[int(node)]
    on_node = environ.get("SLURM_CPUS_ON_NODE", "")
    return int(on_node) if on_node.isdecimal() and int(on_node) else None


def _per_node(text: str) -> Iterator[int]:
    """Spell out Slurm's short form of one number per node: ``72(x2),36`` is 72, 72, 36."""
    for part in text.split(","):
        match = re.fullmatch(r"([1-9]\d{0,8})(?:\(x(\d{1,6})\))?", part, re.ASCII)
        if match:
            yield from [int(match[1])] * int(match[2] or 1)


def _slurm_gigabytes(environ: Mapping[str, str]) -> Iterator[float]:
    per_node, per_cpu = environ.get("SLURM_MEM_PER_NODE", ""), environ.get("SLURM_MEM_PER_CPU", "")
    cpus = _slurm_cpus(environ)
    if per_node.isdecimal() and int(per_node):  # 0 is all that the node has
        yield int(per_node) / _MEGABYTES_PER_GIGABYTE
    if per_cpu.isdecimal() and int(per_cpu) and cpus:
        yield int(per_cpu) * cpus / _MEGABYTES_PER_GIGABYTE

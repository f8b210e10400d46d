"""The part of a machine that one process counts while the processes of a job are not agreed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from green_callbacks.accountant.ranks.launcher import Place
from green_callbacks.records.machine_parts import is_part
from green_callbacks.sources.job.allotment import allotment
from green_callbacks.sources.job.operating_system import system_errors

_OF_HOST: Final = frozenset({"cpu", "dram", "platform"})
"""Components of a machine that every process on it sees."""
_CHOICES: Final = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")
"""Environment variables that choose GPUs for a process."""

Described = TypeVar("Described")


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a machine that a process counts.

    The first process of a machine counts the processors, the memory and the platform. If all processes see the same
    GPUs, each counts the GPUs that fall to it. Otherwise each counts those that it sees. A process may count processors
    to which it alone is bound.

    Attributes:
        number: Number of the process on its machine, from 0. Defaults to 0.
        count: Number of processes on the machine, or None if unknown. Defaults to 1.
        sees_same: Whether all of them are known to see the same GPUs. Defaults to False.
        counts_bound: Whether the processors count to which the process is bound. Otherwise only the first process
            counts them, because the others may be bound to the same ones. Defaults to True, while the processes may
            still agree.

    >>> Part(number=1, count=2, sees_same=True).of({"cpu:0": ("cpu", ()), "gpu:0": ("gpu", ()), "gpu:1": ("gpu", ())})
    {'gpu:1': ('gpu', ())}
    """

    number: int = 0
    count: int | None = 1
    sees_same: bool = False
    counts_bound: bool = True

    def of(self, devices: Mapping[str, tuple[str, Described]]) -> dict[str, tuple[str, Described]]:
        """Return the devices that count.

        Args:
            devices: What is known of each device by its name, beginning with its component.
        """
        gpus = [name for name, (component, _) in devices.items() if component == "gpu"]
        count = self.count or 1
        is_divided = self.sees_same and len(gpus) >= count > 1
        left_out = {name for at, name in enumerate(gpus) if is_divided and at % count != self.number}
        return {
            name: (component, rest)
            for name, (component, rest) in devices.items()
            if name not in left_out
            and (self.number == 0 or component not in _OF_HOST or (self.counts_bound and is_part(name)))
        }


WHOLE: Final = Part()
"""The whole machine, as far as the process sees it."""


def sees_every_gpu(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether nothing chooses GPUs for this process.

    Args:
        environ: Environment variables. Defaults to ``os.environ``.
    """
    return not any(name in environ for name in _CHOICES)


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

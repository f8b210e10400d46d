"""The limits and the usage of the control groups of this process.

Versions 1 and 2 are described in the kernel's ``Documentation/admin-guide/cgroup-v2.rst`` and ``cgroup-v1/``.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from green_callbacks.small_files import LIST_BYTES, read_beginning, read_or_empty

OWN_GROUPS: Final = Path("/proc/self/cgroup")
MOUNT: Final = Path("/sys/fs/cgroup")
_MICROSECONDS_PER_SECOND: Final = 1_000_000
"""Number of µs in 1 s."""
_NANOSECONDS_PER_SECOND: Final = 1_000_000_000
"""Number of ns in 1 s."""
_COUNT: Final = re.compile(r"[0-9]{1,20}")
_SLURM_JOB: Final = re.compile(r"job_\d+")


@dataclass(frozen=True, slots=True)
class Quota:
    """A control group that limits processor time.

    Attributes:
        cpus: Processor time that it grants, in s per s.
        usage: File in which Linux counts the used time, ``cpu.stat``, or ``cpuacct.usage`` of version 1.
    """

    cpus: float
    usage: Path

    def used_seconds(self) -> float:
        """Return the processor time that the group has used, in s.

        Raises:
            OSError: The time cannot be read.
            ValueError: The file does not contain the time.
        """
        return used_seconds(self.usage)


def used_seconds(usage: Path) -> float:
    """Return the processor time that a control group has used, in s.

    Args:
        usage: ``cpu.stat`` of a group, or ``cpuacct.usage`` of version 1.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file does not contain the time.
    """
    line = read_beginning(usage).decode("ascii").partition("\n")[0].strip()
    if usage.name == "cpuacct.usage":
        return _count(line, usage) / _NANOSECONDS_PER_SECOND
    name, _, used = line.partition(" ")
    if name != "usage_usec":
        msg = f"{usage} does not begin with usage_usec"
        raise ValueError(msg)
    return _count(used, usage) / _MICROSECONDS_PER_SECOND


def _count(text: str, usage: Path) -> int:
    if not _COUNT.fullmatch(text):
        msg = f"{usage} does not count the time used"
        raise ValueError(msg)
    return int(text)


def quota(own: Path = OWN_GROUPS, mount: Path = MOUNT) -> Quota | None:
    """Find the control group that limits the processor time of this process most.

    Args:
        own: File in which Linux lists the groups of the process. Defaults to ``/proc/self/cgroup``.
        mount: Folder in which the groups are mounted. Defaults to ``/sys/fs/cgroup``.

    Returns:
        The tightest limit from its group up to the root, the outermost of equal ones. None if there is no limit.
    """
    quotas = [
        *(Quota(cpus, group / "cpu.stat") for group in _upwards("", own, mount) if (cpus := _granted(group))),
        *(
            Quota(cpus, mount / "cpuacct" / group.relative_to(mount / "cpu") / "cpuacct.usage")
            for group in _upwards("cpu", own, mount)
            if (cpus := _granted_v1(group))
        ),
    ]
    # Of equal limits, the outermost counts, because it holds for all processes in it together.
    return min(reversed(quotas), key=lambda quota: quota.cpus, default=None)


def group_name(name: str, usage: Path) -> str:
    """Return the name of a device of which the processes of a control group have a share.

    The number of the group's folder is the same in all containers of a machine, in which paths may be equal.

    Args:
        name: Name of the device.
        usage: A file of the group.
    """
    try:
        number = os.stat(usage.parent).st_ino  # noqa: PTH116  as is_file() below
    except OSError:
        number = 0
    return f"{name}@group-{number}"


def memory_limit_bytes(own: Path = OWN_GROUPS, mount: Path = MOUNT) -> int | None:
    """Return the memory limit of the control groups of this process in bytes, or None if there is no limit.

    Version 1 writes a very large number for no limit. So callers must compare it with the memory of the machine.

    Args:
        own: File in which Linux lists the groups of the process. Defaults to ``/proc/self/cgroup``.
        mount: Folder in which the groups are mounted. Defaults to ``/sys/fs/cgroup``.
    """
    return min((limit for limit, _ in _memory_limits(own, mount)), default=None)


def memory_limit_file(own: Path = OWN_GROUPS, mount: Path = MOUNT) -> Path | None:
    """Return the file of the smallest memory limit, of the outermost group that has it. None if there is no limit.

    Args:
        own: File in which Linux lists the groups of the process. Defaults to ``/proc/self/cgroup``.
        mount: Folder in which the groups are mounted. Defaults to ``/sys/fs/cgroup``.
    """
    limits = reversed(list(_memory_limits(own, mount)))
    return min(limits, key=lambda limit: limit[0], default=(0, None))[1]


def _memory_limits(own: Path, mount: Path) -> Iterator[tuple[int, Path]]:
    """Yield the memory limits in bytes with their files, from the group of this process up."""
    files = [
        *(group / "memory.max" for group in _upwards("", own, mount)),
        *(group / "memory.limit_in_bytes" for group in _upwards("memory", own, mount)),
    ]
    for file in files:
        if _COUNT.fullmatch(limit := read_or_empty(file)):
            yield int(limit), file


def job_usage(own: Path = OWN_GROUPS, mount: Path = MOUNT) -> Path | None:
    """Find the file that counts the processor time of this job.

    Args:
        own: File in which Linux lists the groups of the process. Defaults to ``/proc/self/cgroup``.
        mount: Folder in which the groups are mounted. Defaults to ``/sys/fs/cgroup``.

    Returns:
        The file of the Slurm job's control group, else of the process' own group, such as its container's. None if the
        process is only in the root group, which holds everything that runs.
    """
    for controller, name in (("", "cpu.stat"), ("cpuacct", "cpuacct.usage")):
        groups = [group for group in _upwards(controller, own, mount) if _is_file(group / name)]
        if groups and not _is_root(controller, groups[0], own):
            return next((group for group in groups if _SLURM_JOB.fullmatch(group.name)), groups[0]) / name
    return None


def _is_root(controller: str, group: Path, own: Path) -> bool:
    """Return whether a group covers the whole machine. A container does not see that group.

    In version 2 only the root has no type. In version 1 the root is known only by its path.
    """
    return _own_path(controller, own) == "/" if controller else not _is_file(group / "cgroup.type")


def _is_file(file: Path) -> bool:
    return os.path.isfile(file)  # noqa: PTH113  raises nothing where folders are hidden, unlike Path.is_file()


def _upwards(controller: str, own: Path, mount: Path) -> Iterator[Path]:
    """Walk from the group of this process up to the visible root. An empty controller means version 2."""
    path = _own_path(controller, own)
    if path is None:
        return
    top = mount / controller
    relative = PurePosixPath(path.lstrip("/"))
    for each in (relative, *relative.parents):
        yield top / each


def _own_path(controller: str, own: Path) -> str | None:
    for line in read_or_empty(own, LIST_BYTES).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(","):
            return path
    return None


def _granted(group: Path) -> float | None:
    """Read a limit such as ``200000 100000``, the µs of processor time per period in µs. ``max`` means no limit."""
    match = re.fullmatch(r"([0-9]{1,20}) ([1-9][0-9]{0,19})", read_or_empty(group / "cpu.max"))
    return int(match[1]) / int(match[2]) if match else None


def _granted_v1(group: Path) -> float | None:
    """Read the two files of version 1, where -1 means no limit."""
    granted, period = read_or_empty(group / "cpu.cfs_quota_us"), read_or_empty(group / "cpu.cfs_period_us")
    found = _COUNT.fullmatch(granted) and _COUNT.fullmatch(period)
    return int(granted) / int(period) if found and int(period) else None

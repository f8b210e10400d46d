"""What the model of a processor stands on: its design power, and how much of it is ours to use."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_DESIGN_POWER: Final[Mapping[str, tuple[float, int]]] = {
    "EPYC 7302": (155, 16),
    "EPYC 7402": (180, 24),
    "EPYC 7452": (155, 32),
    "EPYC 7502": (180, 32),
    "EPYC 7543": (225, 32),
    "EPYC 7713": (225, 64),
    "EPYC 7742": (225, 64),
    "EPYC 7763": (280, 64),
    "EPYC 7H12": (280, 64),
    "EPYC 9354": (280, 32),
    "EPYC 9454": (290, 48),
    "EPYC 9554": (360, 64),
    "EPYC 9654": (360, 96),
    "Xeon(R) CPU E5-2650 v4": (105, 12),
    "Xeon(R) CPU E5-2680 v4": (120, 14),
    "Xeon(R) CPU E5-2690 v4": (135, 14),
    "Xeon(R) CPU E5-2698 v4": (135, 20),
    "Xeon(R) Gold 6130": (125, 16),
    "Xeon(R) Gold 6148": (150, 20),
    "Xeon(R) Gold 6226R": (150, 16),
    "Xeon(R) Gold 6230": (125, 20),
    "Xeon(R) Gold 6248": (150, 20),
    "Xeon(R) Gold 6338": (205, 32),
    "Xeon(R) Platinum 8168": (205, 24),
    "Xeon(R) Platinum 8280": (205, 28),
    "Xeon(R) Platinum 8358": (250, 32),
    "Xeon(R) Platinum 8380": (270, 40),
    "Xeon(R) Platinum 8468": (350, 48),
    "Xeon(R) Platinum 8480": (350, 56),
    "Xeon(R) Platinum 8480C": (350, 56),
    "i7-9700K": (95, 8),
    "i9-9900K": (95, 8),
    "i9-10900K": (125, 10),
    "Ryzen 7 5800X": (105, 8),
    "Ryzen 9 3950X": (105, 16),
    "Ryzen 9 5950X": (105, 16),
    "Ryzen 9 7950X": (170, 16),
    "Threadripper 3970X": (280, 32),
    "Threadripper 3990X": (280, 64),
}
"""Design power in W and number of cores, by a part of the name: the makers' specifications (ark.intel.com, amd.com)."""

_UNKNOWN_WATTS_PER_CORE: Final = sorted(watts / cores for watts, cores in _DESIGN_POWER.values())[
    len(_DESIGN_POWER) // 2
]
"""The median of the table."""
_CPUINFO: Final = Path("/proc/cpuinfo")
_OWN_CGROUP: Final = Path("/proc/self/cgroup")
_CGROUPS: Final = Path("/sys/fs/cgroup")
_MICROSECONDS_PER_SECOND: Final = 1_000_000


def watts_per_core(cpuinfo: Path = _CPUINFO) -> float:
    """Return the design power of a core of this machine.

    Args:
        cpuinfo: Where Linux describes the processors.

    Returns:
        Design power over cores, in W: of this model if it is in the table, else the median of the table.
    """
    model = _field(cpuinfo, "model name")
    for name, (watts, cores) in _DESIGN_POWER.items():
        # A P only says that the model is for one socket; any other letter is another model.
        if re.search(rf"{re.escape(name)}P?(?!\w)", model):
            return watts / cores
    return _UNKNOWN_WATTS_PER_CORE


def threads_per_core(cpuinfo: Path = _CPUINFO) -> float:
    """Return how many logical processors share a core: 2 with SMT, 1 without or where it is not known.

    Args:
        cpuinfo: Where Linux describes the processors.
    """
    siblings, cores = _field(cpuinfo, "siblings"), _field(cpuinfo, "cpu cores")
    return int(siblings) / int(cores) if siblings.isdecimal() and cores.isdecimal() and int(cores) else 1.0


@dataclass(frozen=True, slots=True)
class Quota:
    """A control group that limits processor time.

    Attributes:
        cpus: How many processors' worth of time it grants.
        usage: The file in which Linux counts the time used.
    """

    cpus: float
    usage: Path

    def used_seconds(self) -> float:
        """Return the processor time that the group has used, in s.

        Raises:
            OSError: It cannot be read.
            ValueError: It is not there.
        """
        name, _, used = self.usage.read_text(encoding="ascii").partition("\n")[0].partition(" ")
        if name != "usage_usec":
            msg = f"{self.usage} does not begin with usage_usec"
            raise ValueError(msg)
        return int(used) / _MICROSECONDS_PER_SECOND


def quota(own: Path = _OWN_CGROUP, root: Path = _CGROUPS) -> Quota | None:
    """Find the control group (version 2) that limits the processor time of this process most.

    Args:
        own: Where Linux says in which groups the process is.
        root: Where the groups are mounted.

    Returns:
        The tightest on the way up; None where there is no limit.
    """
    line = next((line for line in _text(own).splitlines() if line.startswith("0::")), None)
    if line is None:
        return None
    group = root / line.removeprefix("0::").lstrip("/")
    groups = [each for each in (group, *group.parents) if each.is_relative_to(root)]
    quotas = [Quota(cpus, each / "cpu.stat") for each in groups if (cpus := _cpus(_text(each / "cpu.max")))]
    return min(quotas, key=lambda quota: quota.cpus, default=None)


def _cpus(limit: str) -> float | None:
    """Read a limit such as ``200000 100000``: µs of processor time in every so many; ``max`` is none."""
    match = re.fullmatch(r"(\d+) ([1-9]\d*)\s*", limit)
    return int(match[1]) / int(match[2]) if match else None


def _field(cpuinfo: Path, name: str) -> str:
    match = re.search(rf"^{name}\s*:\s*(.*)$", _text(cpuinfo), re.MULTILINE)
    return match[1].strip() if match else ""


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

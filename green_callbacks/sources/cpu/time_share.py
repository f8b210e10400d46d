"""The job's share of the energy of a host's processors, by processor time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from green_callbacks.sources.cpu.design_power import IDLE_SHARE
from green_callbacks.sources.job.allotment import Allotment, busy_seconds
from green_callbacks.sources.job.cgroup import job_usage, used_seconds
from green_callbacks.sources.job.operating_system import system_errors

_SHORTEST_SECONDS: Final = 1.0
"""Over less, times that the system counts in steps of some 10 ms say little of a share."""


def energy_share(idle_share: float, owned: float, own_busy: float, host_busy: float) -> float:
    """Return which share of a host's energy is a job's.

    The power of the host is taken as ``idle_share + (1 - idle_share) * host_busy`` of its power when all are busy. Of
    its first part the job has what it owns of the processors, of the second what it kept busy of those that were. It
    is a convention: no meter tells whose a joule is.

    Args:
        idle_share: Power when idle over power when busy, 0 to 1.
        owned: Processors that the job owns, over all.
        own_busy: Processors that the job kept busy, over all.
        host_busy: Processors that anybody kept busy, over all; at least ``own_busy``.

    Returns:
        The share, 0 to 1; the share owned, where there is neither idle power nor work.
    """
    power = idle_share + (1 - idle_share) * host_busy
    return (idle_share * owned + (1 - idle_share) * own_busy) / power if power > 0 else owned


@dataclass(frozen=True, slots=True)
class CpuShare:
    """A share of the processors' energy as of the last look at the times of host and job.

    Attributes:
        part: Which processors the job owns.
        usage: Where the job's control group counts its time; None to ask this process and its descendants.
        at: Monotonic time of the last look, in s.
        own_seconds: Cumulative processor time of the job, in s.
        host_seconds: Cumulative processor time of the host, in s.
        share: The share up to the last look; of what is owned before the first.
    """

    part: Allotment
    usage: Path | None
    at: float
    own_seconds: float
    host_seconds: float
    share: float

    @classmethod
    def begin(cls, part: Allotment, now: float) -> Self:
        """Take a first look.

        Args:
            part: Which processors the job owns.
            now: Monotonic time in s.

        Raises:
            ImportError: psutil cannot be imported.
            OSError: The operating system does not tell the times.
            ValueError: Likewise.
        """
        usage = job_usage()
        owned = part.owned_cpus / part.host_cpus
        return cls(part, usage, now, _own_seconds(usage), _host_seconds(), owned)

    def advanced(self, now: float) -> Self:
        """Look again, if it is worth it. What cannot be told now leaves the share as it was.

        Args:
            now: Monotonic time in s.
        """
        elapsed_seconds = now - self.at
        if elapsed_seconds < _SHORTEST_SECONDS:
            return self
        try:
            own_seconds, host_seconds = _own_seconds(self.usage), _host_seconds()
        except system_errors():
            return self
        cpus = self.part.host_cpus
        host_busy = _clipped((host_seconds - self.host_seconds) / (elapsed_seconds * cpus), 1.0)
        own_busy = _clipped((own_seconds - self.own_seconds) / (elapsed_seconds * cpus), host_busy)
        share = energy_share(IDLE_SHARE, self.part.owned_cpus / cpus, own_busy, host_busy)
        return replace(self, at=now, own_seconds=own_seconds, host_seconds=host_seconds, share=share)


def _clipped(value: float, high: float) -> float:
    return min(high, max(0.0, value))


def _host_seconds() -> float:
    import psutil

    return busy_seconds(psutil.cpu_times())


def _own_seconds(usage: Path | None) -> float:
    return sum(_family_seconds()) if usage is None else used_seconds(usage)


def _family_seconds() -> Iterator[float]:
    """Yield the processor times of this process and its living descendants, and of the dead that were waited for."""
    import psutil

    process = psutil.Process()
    family = (process, *process.children(recursive=True))
    for member in family:
        try:
            times: Any = member.cpu_times()
        except psutil.Error:  # it ended just now
            continue
        yield times.user + times.system + getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)

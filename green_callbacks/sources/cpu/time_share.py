"""The job's share of the energy of a host's processors, by processor time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from green_callbacks.process import process_id
from green_callbacks.sources.cpu.design_power import IDLE_SHARE
from green_callbacks.sources.job.allotment import Allotment, busy_seconds
from green_callbacks.sources.job.cgroup import group_name, job_usage, used_seconds
from green_callbacks.sources.job.operating_system import system_errors

_SHORTEST_SECONDS: Final = 1.0
"""Shortest time over which a share is computed, in s. The system counts times in steps of some 10 ms."""


def energy_share(idle_share: float, owned: float, own_busy: float, host_busy: float) -> float:
    """Return the job's share of a host's energy, 0 to 1.

    The power of the host is modelled as ``idle_share + (1 - idle_share) * host_busy``, relative to its power when all
    processors are busy. The job gets its owned share of the first term, and its share of the busy processors of the
    second. It is a convention, since no meter shows whose a joule is.

    Args:
        idle_share: Power when idle over power when busy, 0 to 1.
        owned: Share of the processors that the job owns, 0 to 1.
        own_busy: Share of the processors that the job kept busy, 0 to 1.
        host_busy: Share of the processors that anybody kept busy, at least ``own_busy``.

    Returns:
        The share. It is the owned share if there is neither idle power nor work.
    """
    power = idle_share + (1 - idle_share) * host_busy
    return (idle_share * owned + (1 - idle_share) * own_busy) / power if power > 0 else owned


@dataclass(frozen=True, slots=True)
class CpuShare:
    """A share of the processors' energy as of the last reading of processor times.

    Attributes:
        part: The processors that the job owns.
        usage: File in which the job's control group counts its time. None to ask this process and its descendants.
        at: Monotonic time of the last reading, in s.
        own_seconds: Cumulative processor time of the job, in s.
        host_seconds: Cumulative processor time of the host, in s.
        share: The share up to the last reading. It is the owned share before the first.
    """

    part: Allotment
    usage: Path | None
    at: float
    own_seconds: float
    host_seconds: float
    share: float

    @classmethod
    def begin(cls, part: Allotment, now: float) -> Self:
        """Read the processor times for the first time.

        Args:
            part: The processors that the job owns.
            now: Monotonic time in s.

        Raises:
            ImportError: psutil cannot be imported.
            OSError: The operating system does not report the times.
            ValueError: The operating system reports no valid times.
        """
        usage = job_usage()
        owned = part.owned_cpus / part.host_cpus
        return cls(part, usage, now, _own_seconds(usage), _host_seconds(), owned)

    def named(self, device: str) -> str:
        """Return the name of this share of a device, which only the processes of the job have.

        Args:
            device: Name of the device.
        """
        return f"{device}@process-{process_id()}" if self.usage is None else group_name(device, self.usage)

    def advanced(self, now: float) -> Self:
        """Return the share after another reading.

        It stays the same if too little time has passed, or if no times are reported.

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
    """Yield the processor times of this process and its descendants, in s.

    Ended descendants count once they were waited for.
    """
    import psutil

    process = psutil.Process()
    family = (process, *process.children(recursive=True))
    for member in family:
        try:
            times: Any = member.cpu_times()
        except psutil.Error:  # it ended just now
            continue
        yield times.user + times.system + getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)

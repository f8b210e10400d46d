"""Processors and memory by the RAPL counters in Linux' power capping tree."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from green_callbacks.clock import Clock
from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.records import DeviceInfo, Reading
from green_callbacks.sources.common.device import SYSTEM_CLOCK, LiveSource
from green_callbacks.sources.common.device_warnings import warn_if_still
from green_callbacks.sources.common.file_counter import LONGEST_POLL_SECONDS, FileCounter
from green_callbacks.sources.common.one_thread import Guarded
from green_callbacks.sources.common.option_checks import checked_path
from green_callbacks.sources.cpu.design_power import core_design
from green_callbacks.sources.cpu.rapl_zones import POWERCAP, RaplZone, find_zones
from green_callbacks.sources.cpu.time_share import CpuShare
from green_callbacks.sources.job.allotment import allotment
from green_callbacks.sources.job.operating_system import system_errors

CpuSharing = Literal["cpu_time"]
"""Ways to divide the energy of the processors among the jobs of a host."""

_CPU_SHARE_TOLERANCE: Final = 0.40
"""Relative tolerance of a share (by convention, as for the model of the processors, which it follows)."""
_REMEDY: Final = "A hypervisor may show such a counter. Use CpuModelSource() in the place of PowercapSource()."
_SHARE_SECONDS: Final = 5.0
"""Interval between two readings of processor times for a share, in s. To list all processes takes some ms."""
_ASLEEP_SECONDS: Final = 10.0
"""Difference in s by which the time of day must outrun the monotonic clock, which stands still in sleep, to count as
sleep."""


@dataclass(frozen=True, slots=True)
class _Counters:
    """The state of all zones.

    Attributes:
        by_name: Counter by device.
        read_at: Monotonic time of the last reading, in s.
        is_shared: Whether others use the host, too.
        share: The job's share. None if the whole host counts.
        clocks_apart_seconds: Time of day less monotonic time at the last reading, in s.
    """

    by_name: Mapping[str, FileCounter]
    read_at: float
    is_shared: bool
    share: CpuShare | None
    clocks_apart_seconds: float


class PowercapSource(LiveSource[Guarded[_Counters]]):
    """Linux' RAPL counters of Intel and AMD processors, and of their memory where it is metered.

    A counter wraps after some minutes to hours. :meth:`poll` reads twice a second and so notices every wrap. If polls
    were missed for so long that a wrap may have been missed, too, the counter's rise is counted as it stands. The
    device is then flagged ``wraps_unseen``.

    A rise above 1,000 W of a package, or 500 W of its memory, counts as no energy. The time is a gap, flagged
    ``counter_implausible``. It is flagged ``reset`` if the counter fell and a wrap would be such a rise. A package
    draws power even when it sleeps. If its counter stands still for 0.4 s, or the counter of its memory for 5 s, the
    time is a gap, flagged ``counter_frozen``. The gap closes if the counter turns out to have gone on.

    A counter measures the whole host, whoever uses it. If the job owns only some of the processors (by affinity,
    control group or Slurm), its devices are flagged ``shared_host``.

    ``share="cpu_time"`` counts only the job's share, labeled as modelled, ±40 %. It follows these conventions, since no
    meter shows whose a joule is:

    * Idle power is taken as 20 % of the power of busy processors. The job gets its part of the processors of it.
    * Of the rest, the job gets its part of the processor time of the host.
    * The job's time is the time of its control group (the Slurm job, the container, the session). Without one, it is
      the time of this process and its descendants, without other ranks. It is read every 5 s, on the worker.
    * Memory and all sockets are divided alike.
    * The name of a device tells whose share it is, as in ``cpu:package-0@group-71``. So each share counts once.

    The zone ``psys``, the whole platform, does not count. It contains the packages, and the rest of it differs from
    board to board.

    Args:
        root: The power capping tree. Defaults to ``/sys/class/powercap``.
        share: ``"cpu_time"`` to count only the job's share. Defaults to the energy of the whole host.
        clock: The clock. Defaults to the machine's.

    Raises:
        ConfigurationError: ``share`` is unknown.

    Example:
        >>> source = PowercapSource(share="cpu_time")
        >>> source.read()  # a closed source has no devices
        {}
    """

    def __init__(
        self,
        root: str | os.PathLike[str] = POWERCAP,
        *,
        share: CpuSharing | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        if share not in (None, "cpu_time"):
            msg = f"share must be 'cpu_time', or None for the whole host, not {share!r}."
            raise ConfigurationError(msg)
        self._root = checked_path(root, "root")
        self._by_cpu_time = share is not None
        self._clock = clock
        self.poll_seconds = LONGEST_POLL_SECONDS

    def _begin(self) -> Guarded[_Counters]:
        zones = find_zones(self._root)
        self._check_readable(zones)
        self.poll_seconds = min(zone.poll_seconds for zone in zones)
        now = self._clock.monotonic()
        share = self._first_share(now) if self._by_cpu_time else None
        is_shared = share is not None or _is_shared_host()
        if share is not None:
            zones = [replace(zone, name=share.named(zone.name)) for zone in zones]
        counters = {zone.name: FileCounter.begin(zone, now) for zone in zones}
        return Guarded(self._read_on(_Counters(counters, now, is_shared, share, self._clocks_apart_seconds(now))))

    @staticmethod
    def _first_share(now: float) -> CpuShare:
        try:
            return CpuShare.begin(allotment(), now)
        except system_errors() as error:
            msg = f"The operating system does not report who uses the processors ({error}). Leave share= out."
            raise SourceUnavailableError(msg) from error

    def _check_readable(self, zones: list[RaplZone]) -> None:
        if not zones:
            msg = (
                f"There is no RAPL counter in {self._root}. It takes Linux on an Intel or AMD processor and its module "
                "(`modprobe intel_rapl_msr`). Virtual machines and many containers hide it."
            )
            raise SourceUnavailableError(msg)
        refusals = [reason for zone in zones if (reason := zone.refusal()) is not None]
        if len(refusals) < len(zones):
            return
        if isinstance(refusals[0], PermissionError):
            remedy = f"`sudo chmod -R a+r {self._root / zones[0].control}` lets all users read them until the next boot"
            msg = f"The RAPL counters in {self._root} may only be read by root. {remedy}."
        else:
            msg = f"The RAPL counters in {self._root} cannot be read ({refusals[0]}). Load the module intel_rapl_msr."
        raise SourceUnavailableError(msg) from refusals[0]

    def read(self) -> Mapping[str, Reading]:
        """Read every zone.

        Returns:
            A reading for each package and each memory. Empty while the source is closed.
        """
        live = self._live
        if live is None:
            return {}
        counters = live.carry_on(self._read_on)
        if self._live is live:
            self._warn(counters)
        return {name: _reading(counter, counters) for name, counter in counters.by_name.items()}

    def poll(self) -> None:
        """Read every counter, so that no wrap and no standstill is missed, and update the job's share."""
        live = self._live
        if live is None:
            return
        share, now = live.state.share, self._clock.monotonic()
        if share is not None and now - share.at >= _SHARE_SECONDS:
            # This may be slow. The lock, for which a reader waits, is not held meanwhile.
            later = share.advanced(now)
            live.carry_on(lambda counters: replace(counters, share=later))
        self.read()

    def describe(self) -> Mapping[str, DeviceInfo]:
        """Return the model of the processors for every package."""
        live = self._live
        if live is None:
            return {}
        info = DeviceInfo(product=core_design().model)
        return {name: info for name, counter in live.state.by_name.items() if counter.file.component == "cpu"}

    def _warn(self, counters: _Counters) -> None:
        for name, counter in counters.by_name.items():
            if not warn_if_still(name, counter.counted, counters.read_at, _REMEDY, self._warned):
                self._warn_of_loss(name, counter.counted.account.reason)

    def _read_on(self, counters: _Counters) -> _Counters:
        now = self._clock.monotonic()
        clocks_apart_seconds = self._clocks_apart_seconds(now)
        slept = clocks_apart_seconds - counters.clocks_apart_seconds > _ASLEEP_SECONDS
        ours = counters.share.share if counters.share else 1.0
        by_name = {name: counter.advanced(now, share=ours, slept=slept) for name, counter in counters.by_name.items()}
        return replace(counters, by_name=by_name, read_at=now, clocks_apart_seconds=clocks_apart_seconds)

    def _clocks_apart_seconds(self, now: float) -> float:
        return self._clock.now().timestamp() - now


def _is_shared_host() -> bool:
    try:
        return allotment().is_shared
    except system_errors():
        return False


def _reading(counter: FileCounter, counters: _Counters) -> Reading:
    modelled = counters.share is not None
    return counter.counted.reading(
        counters.read_at,
        counter.file.component,
        "modelled" if modelled else "counter",
        tolerance=_CPU_SHARE_TOLERANCE if modelled else 0.0,
        share=counters.share.share if counters.share else 1.0,
        flags=("shared_host",) if counters.is_shared else (),
    )

"""Processors and memory by the RAPL counters that Linux shows in its power capping tree."""

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

_SHARE_TOLERANCE: Final = 0.40
"""A convention: as wide as the model of the processors, whose line between idle and busy power the share follows."""
_REMEDY: Final = "A hypervisor may show such a counter: use CpuModelSource() in the place of PowercapSource()."
_LOOK_SECONDS: Final = 5.0
"""How often the processor times are looked at for a share: listing all processes takes some ms."""
_ASLEEP_SECONDS: Final = 10.0
"""By how much the time of day outruns the monotonic clock, which stands still in sleep, before we call it that."""


@dataclass(frozen=True, slots=True)
class _Counters:
    """All zones, and whose they are.

    Attributes:
        by_name: Counter by device.
        read_at: When they were read, in monotonic s.
        is_shared: Whether others use the host too.
        share: The job's share, if it is asked for.
        clocks_apart_seconds: How far the time of day was ahead of the monotonic clock then, in s.
    """

    by_name: Mapping[str, FileCounter]
    read_at: float
    is_shared: bool
    share: CpuShare | None
    clocks_apart_seconds: float


class PowercapSource(LiveSource[Guarded[_Counters]]):
    """Linux' RAPL counters of Intel and AMD processors, and of their memory where they meter it.

    A counter wraps after some minutes to hours. :meth:`poll` reads twice a second and so notices every wrap. If polls
    were missed for so long that a wrap may have been missed too, the counter's rise is counted as it stands. The device
    is then flagged ``wraps_unseen``.

    A rise above 1,000 W of a package, or 500 W of its memory, is no energy. The time is a gap, flagged
    ``counter_implausible``, or ``reset`` where the counter fell and a wrap would be such a rise. A package draws power
    even when it sleeps. If its counter stands still for 0.4 s, or that of its memory for 5 s, the time is a gap,
    flagged ``counter_frozen``. The gap closes if the counter turns out to have gone on.

    A counter measures the whole host, whoever uses it. Where the job owns only some of the processors (by affinity,
    control group or Slurm), its devices are flagged ``shared_host``; with ``share="cpu_time"`` only the job's share is
    counted, and labelled as modelled, ±40 %: of idle power, taken as 20 % of that when all processors are busy, what
    the job owns of the processors; of the rest, what it used of the processor time of the host. The job's time is that
    of its control group (the Slurm job, the container, the session), else of this process and its descendants, which
    leaves out other ranks; it is looked at every 5 s, on the worker. Memory and all sockets are shared out alike. It is
    a convention, since no meter tells whose a joule is.

    Not counted is ``psys``, the whole platform: it contains the packages, and what else differs from board to board.

    Args:
        root: The power capping tree.
        share: ``"cpu_time"`` to count only the job's share; the whole host's energy unless given.
        clock: The time.

    Raises:
        ConfigurationError: An unknown way to share.
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
        counters = {zone.name: FileCounter.begin(zone, now) for zone in zones}
        return Guarded(self._read_on(_Counters(counters, now, is_shared, share, self._clocks_apart_seconds(now))))

    @staticmethod
    def _first_share(now: float) -> CpuShare:
        try:
            return CpuShare.begin(allotment(), now)
        except system_errors() as error:
            msg = f"The operating system does not tell who uses the processors ({error}): leave share= out."
            raise SourceUnavailableError(msg) from error

    def _check_readable(self, zones: list[RaplZone]) -> None:
        if not zones:
            msg = (
                f"There is no RAPL counter in {self._root}: it takes Linux on an Intel or AMD processor, its module "
                "(`modprobe intel_rapl_msr`), and neither a virtual machine nor a container that hides it."
            )
            raise SourceUnavailableError(msg)
        refusals = [reason for zone in zones if (reason := zone.refusal()) is not None]
        if len(refusals) < len(zones):
            return
        if isinstance(refusals[0], PermissionError):
            remedy = f"`sudo chmod -R a+r {self._root / zones[0].control}` lets all users, until the next boot"
            msg = f"The RAPL counters in {self._root} may only be read by root: {remedy}."
        else:
            msg = f"The RAPL counters in {self._root} cannot be read ({refusals[0]}): load the module intel_rapl_msr."
        raise SourceUnavailableError(msg) from refusals[0]

    def read(self) -> Mapping[str, Reading]:
        """Read every zone.

        Returns:
            A reading for each package and each memory; nothing while the source is closed.
        """
        live = self._live
        if live is None:
            return {}
        counters = live.carry_on(self._read_on)
        if self._live is live:
            self._warn(counters)
        return {name: _reading(counter, counters) for name, counter in counters.by_name.items()}

    def poll(self) -> None:
        """Look at every counter, so that no wrap and no standstill is missed, and at the job's share if asked for."""
        live = self._live
        if live is None:
            return
        share, now = live.state.share, self._clock.monotonic()
        if share is not None and now - share.at >= _LOOK_SECONDS:
            # Takes its time: the lock, for which a reader waits, is not held meanwhile.
            later = share.advanced(now)
            live.carry_on(lambda counters: replace(counters, share=later))
        self.read()

    def describe(self) -> Mapping[str, DeviceInfo]:
        """Return the model of the processors, which is that of every package."""
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
        tolerance=_SHARE_TOLERANCE if modelled else 0.0,
        share=counters.share.share if counters.share else 1.0,
        flags=("shared_host",) if counters.is_shared else (),
    )

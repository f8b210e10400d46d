"""Processors by a model of their power, where nothing can be measured."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from time import process_time
from typing import Final

from green_callbacks.clock import Clock
from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.records import DeviceInfo, Reading
from green_callbacks.sources.common.device import SYSTEM_CLOCK, Account, LiveSource, checked_at_least_zero
from green_callbacks.sources.common.one_thread import Guarded
from green_callbacks.sources.common.option_checks import checked_path
from green_callbacks.sources.cpu.design_power import CPUINFO, IDLE_SHARE, Origin, core_design
from green_callbacks.sources.job.allotment import Allotment, allotment, busy_seconds
from green_callbacks.sources.job.cgroup import Quota
from green_callbacks.sources.job.operating_system import system_errors

_TOLERANCE: Final = 0.40
"""Fischer, "Ground-Truthing AI Energy Consumption" (arXiv:2509.22092): models off by up to 40 % of a wall meter."""
_NAME: Final = "cpu:model"
_MOST_OWN_SECONDS: Final = 0.5
"""How much processor time this process can use while the system counts none, in s: it counts in steps of 10 ms, and
some virtual machines only once in a while."""
_STILL: Final = "the processor times of the operating system stand still"
_ORIGINS: Final[Mapping[Origin, str]] = {
    "argument": "as given",
    "specification": "from its maker's specification",
    "median": "from the median of common models, per core",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuAssumptions:
    """What a model of the processors stands on. As a string it is a sentence for the user.

    Attributes:
        model: Name of the processor; None if it does not tell.
        tdp_watts: Design power of all processors of the machine together, in W.
        tdp_origin: Where that comes from: ``argument``, ``specification`` of the maker, or ``median`` of common models.
        idle_share: Power when idle over design power.
        cpus: Logical processors that count: those that this process may use.
        host_cpus: Logical processors of the machine.
        tolerance: How far off the energy may be, relative.
    """

    model: str | None
    tdp_watts: float
    tdp_origin: Origin
    idle_share: float
    cpus: float
    host_cpus: int
    tolerance: float = _TOLERANCE

    @property
    def share_watts(self) -> float:
        """Power of the processors that count when all of them are busy, in W."""
        return self.tdp_watts * self.cpus / self.host_cpus

    def __str__(self) -> str:
        model = self.model or "a processor that does not tell its name"
        return (
            f"{model}, {self.host_cpus} logical processors, of which this process may use {self.cpus:g}; design power "
            f"of the machine {self.tdp_watts:.0f} W, {_ORIGINS[self.tdp_origin]}; {self.idle_share:.0%} of it when "
            f"idle; ±{self.tolerance:.0%}"
        )


@dataclass(frozen=True, slots=True)
class _State:
    """The processors that count, and their account.

    Attributes:
        assumptions: What the model stands on.
        quota: The control group that counts their time; None to ask for all processors.
        affinity: The processors that count; None for all.
        account: The energy so far.
        busy_seconds: How much of the busy time the account holds, in s.
        told_seconds: Busy time as it was told last, in s.
        own_seconds: Processor time of this process when the busy time rose last, in s.
        read_at: When it was read, in monotonic s.
    """

    assumptions: CpuAssumptions
    quota: Quota | None
    affinity: Sequence[int] | None
    account: Account
    busy_seconds: float
    told_seconds: float
    own_seconds: float
    read_at: float


class CpuModelSource(LiveSource[Guarded[_State]]):
    """Processor power modelled between idle and design power by how busy the processors are.

    Integrated from the cumulative times of the operating system, so nothing is sampled and nothing is missed: the
    energy is that of the mean utilisation, since the model is linear in it. Counted is the share of the machine that
    this process may use: as much as the quota of its container, else the processors it is bound to, else all,
    whoever keeps them busy. Memory is not included.

    Times that stand still while this process itself works, as some sandboxes show them, are a gap.

    Args:
        tdp_watts: Design power of all processors of the machine together, in W. Unless given it is the one of the
            makers' specifications for common models, else the median of those, per core.
        idle_share: Power when idle over design power; 0.2 unless given (Cloud Carbon Footprint's means over SPECpower
            results: 0.74 W of 3.5 W per virtual processor).
        cpuinfo: Where Linux describes the processors.
        clock: The time.

    Raises:
        ConfigurationError: A power or share that cannot be.
    """

    def __init__(
        self,
        *,
        tdp_watts: float | None = None,
        idle_share: float = IDLE_SHARE,
        cpuinfo: str | os.PathLike[str] = CPUINFO,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        self._tdp_watts = None if tdp_watts is None else checked_at_least_zero(tdp_watts, "tdp_watts")
        self._idle_share = checked_at_least_zero(idle_share, "idle_share")
        if self._idle_share > 1:
            msg = f"idle_share must be between 0 and 1, not {idle_share!r}."
            raise ConfigurationError(msg)
        self._cpuinfo = checked_path(cpuinfo, "cpuinfo")
        self._clock = clock

    def assumptions(self) -> CpuAssumptions:
        """Return what the model stands on here, whether or not the source is open.

        Raises:
            SourceUnavailableError: The operating system tells too little for a model.
        """
        return (self._live or self._begin()).state.assumptions

    def describe(self) -> Mapping[str, DeviceInfo]:
        """Return the model of the processors."""
        live = self._live
        return {} if live is None else {_NAME: DeviceInfo(product=live.state.assumptions.model)}

    def _begin(self) -> Guarded[_State]:
        try:
            part = allotment()
            quota, affinity = _limits(part)
            busy = _busy_seconds(quota, affinity)
        except system_errors() as error:
            msg = (
                f"The operating system does not tell how busy its processors are ({error}): check that psutil imports."
            )
            raise SourceUnavailableError(msg) from error
        now, own = self._clock.monotonic(), process_time()
        account = Account(now, joules=0.0)
        return Guarded(_State(self._assumptions(part), quota, affinity, account, busy, busy, own, now))

    def _assumptions(self, part: Allotment) -> CpuAssumptions:
        cores = core_design(self._cpuinfo)
        given = self._tdp_watts
        return CpuAssumptions(
            model=cores.model,
            tdp_watts=cores.watts_per_core * part.host_cpus / cores.threads_per_core if given is None else given,
            tdp_origin=cores.origin if given is None else "argument",
            idle_share=self._idle_share,
            cpus=part.usable_cpus,
            host_cpus=part.host_cpus,
        )

    def read(self) -> Mapping[str, Reading]:
        """Model the energy of the processors up to now.

        Returns:
            One reading for all processors; nothing while the source is closed.
        """
        live = self._live
        if live is None:
            return {}
        state = live.carry_on(lambda before: _advanced(before, self._clock.monotonic()))
        if self._live is live:
            self._warn_of_loss(_NAME, state.account.reason)
        reading = Reading(
            joules=state.account.joules,
            component="cpu",
            method="modelled",
            tolerance=state.assumptions.tolerance,
            gap_seconds=state.account.gap_seconds_at(state.read_at),
            reason=state.account.reason,
        )
        return {_NAME: reading}


def _advanced(state: _State, now: float) -> _State:
    try:
        busy = _busy_seconds(state.quota, state.affinity)
    except system_errors() as error:
        return replace(state, account=state.account.lose(f"utilization cannot be read: {error}"), read_at=now)
    own = process_time()
    if busy == state.told_seconds and own - state.own_seconds > _MOST_OWN_SECONDS:
        return replace(state, account=state.account.lose(_STILL), read_at=now)
    counted_until = min(state.busy_seconds, busy)  # less where counted anew, after a migration to another machine
    elapsed_seconds = now - state.account.answered_at
    basis = state.assumptions
    # The system counts in steps of some 10 ms: what exceeds the time that has passed is left to the next reading.
    counted_seconds = min(elapsed_seconds * basis.cpus, busy - counted_until)
    idle_watts = basis.idle_share * basis.share_watts
    joules = idle_watts * elapsed_seconds + (basis.share_watts - idle_watts) * counted_seconds / basis.cpus
    return replace(
        state,
        account=state.account.add(joules, now),
        busy_seconds=counted_until + counted_seconds,
        told_seconds=busy,
        own_seconds=state.own_seconds if busy == state.told_seconds else own,
        read_at=now,
    )


def _limits(part: Allotment) -> tuple[Quota | None, Sequence[int] | None]:
    """Return the quota that counts, or else the processors that do."""
    bound = part.host_cpus if part.affinity is None else len(part.affinity)
    return (part.quota, None) if part.quota and part.quota.cpus < bound else (None, part.affinity)


def _busy_seconds(quota: Quota | None, affinity: Sequence[int] | None) -> float:
    """Return the cumulative time in which the processors that count were busy, in s, summed over them."""
    busy = quota.used_seconds() if quota is not None else _system_seconds(affinity)
    if not isfinite(busy) or busy < 0:
        msg = f"the processors were busy for {busy} s"
        raise ValueError(msg)
    return busy


def _system_seconds(affinity: Sequence[int] | None) -> float:
    import psutil

    if affinity is None:
        return busy_seconds(psutil.cpu_times())
    times = psutil.cpu_times(percpu=True)
    return sum(busy_seconds(times[cpu]) for cpu in affinity if cpu < len(times))

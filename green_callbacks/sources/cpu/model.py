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
from green_callbacks.records.machine_parts import bound_name
from green_callbacks.sources.common.device import SYSTEM_CLOCK, Account, LiveSource, checked_at_least_zero
from green_callbacks.sources.common.one_thread import Guarded
from green_callbacks.sources.common.option_checks import checked_path
from green_callbacks.sources.cpu.design_power import CPUINFO, IDLE_SHARE, Origin, core_design
from green_callbacks.sources.job.allotment import Allotment, allotment, busy_seconds
from green_callbacks.sources.job.cgroup import Quota, group_name
from green_callbacks.sources.job.operating_system import system_errors

_CPU_MODEL_TOLERANCE: Final = 0.40
"""Relative tolerance. Models are off a wall meter by up to 40 % (Fischer, arXiv 2509.22092)."""
_NAME: Final = "cpu:model"
_MOST_OWN_SECONDS: Final = 0.5
"""Processor time that this process can use while the system counts none, in s. The system counts in steps of 10 ms, and
some virtual machines count only once in a while."""
_STILL: Final = "the processor times of the operating system stand still"
_ORIGINS: Final[Mapping[Origin, str]] = {
    "argument": "as given",
    "specification": "from its maker's specification",
    "median": "from the median of common models, per core",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuAssumptions:
    """The assumptions of a model of the processors. As a string it is a text for the user.

    Attributes:
        model: Name of the processor. None if it is not known.
        tdp_watts: Design power of all processors of the machine together, in W.
        tdp_origin: Where the design power comes from, ``argument``, ``specification`` of the maker, or ``median``.
        idle_share: Power when idle over design power, 0 to 1.
        cpus: Number of logical processors that this process may use.
        host_cpus: Number of logical processors of the machine.
        tolerance: Relative tolerance of the energy. Defaults to 0.4.

    Example:
        >>> assumptions = CpuAssumptions(
        ...     model="EPYC 7742", tdp_watts=225.0, tdp_origin="specification", idle_share=0.2, cpus=16, host_cpus=128
        ... )
        >>> round(assumptions.share_watts, 3)
        28.125
    """

    model: str | None
    tdp_watts: float
    tdp_origin: Origin
    idle_share: float
    cpus: float
    host_cpus: int
    tolerance: float = _CPU_MODEL_TOLERANCE

    @property
    def share_watts(self) -> float:
        """Power of the processors that this process may use when all of them are busy, in W."""
        return self.tdp_watts * self.cpus / self.host_cpus

    def __str__(self) -> str:
        model = self.model or "a processor without a known name"
        return (
            f"{model}, {self.host_cpus} logical processors, of which this process may use {self.cpus:g}, design power "
            f"of the machine {self.tdp_watts:.0f} W ({_ORIGINS[self.tdp_origin]}), {100 * self.idle_share:.0f} % of it "
            f"when idle, ±{100 * self.tolerance:.0f} %"
        )


@dataclass(frozen=True, slots=True)
class _State:
    """The processors that count, and their account.

    Attributes:
        name: Name of the device. It tells the processors or the control group where these are not the whole machine.
        assumptions: The assumptions of the model.
        quota: Control group that counts their time. None to ask for all processors.
        affinity: Numbers of the processors that count. None for all.
        account: The energy so far.
        busy_seconds: Busy time that is included in the account, in s.
        answered_seconds: Busy time of the last answer, in s.
        own_seconds: Processor time of this process when the busy time last rose, in s.
        read_at: Monotonic time of the last reading, in s.
    """

    name: str
    assumptions: CpuAssumptions
    quota: Quota | None
    affinity: Sequence[int] | None
    account: Account
    busy_seconds: float
    answered_seconds: float
    own_seconds: float
    read_at: float


class CpuModelSource(LiveSource[Guarded[_State]]):
    """Processor power modelled between idle and design power, by the utilization of the processors.

    The model is linear in the utilization. So the energy follows from the cumulative times of the operating system, and
    nothing is sampled or missed. The share of the machine that this process may use counts, whoever keeps it busy. It
    is the quota of the container, else the processors to which the process is bound, else all. Memory is not included.
    The name of the device tells the share, as in ``cpu:model@0-3``. So processes with processors of their own count
    each, and processes that share processors count once.

    Some sandboxes show times that stand still while this process works. Such a time is a gap.

    Args:
        tdp_watts: Design power of all processors of the machine together, in W. Defaults to the maker's specification
            of common models, else to the median of these models per core.
        idle_share: Power when idle over design power. Defaults to 0.2 (Cloud Carbon Footprint's means over SPECpower
            results, 0.74 W of 3.5 W per virtual processor).
        cpuinfo: File in which Linux describes the processors. Defaults to ``/proc/cpuinfo``.
        clock: The clock. Defaults to the machine's.

    Raises:
        ConfigurationError: A power or a share is impossible.

    Example:
        >>> CpuModelSource(tdp_watts=200.0).assumptions().tdp_watts
        200.0
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
        """Return the assumptions of the model here, whether or not the source is open.

        Raises:
            SourceUnavailableError: The operating system reports too little for a model.
        """
        return (self._live or self._begin()).state.assumptions

    def describe(self) -> Mapping[str, DeviceInfo]:
        """Return the model of the processors."""
        live = self._live
        return {} if live is None else {live.state.name: DeviceInfo(product=live.state.assumptions.model)}

    def _begin(self) -> Guarded[_State]:
        try:
            part = allotment()
            quota, affinity = _limits(part)
            busy = _busy_seconds(quota, affinity)
        except system_errors() as error:
            msg = (
                f"The operating system does not report how busy its processors are ({error}). Check that psutil can be "
                "imported."
            )
            raise SourceUnavailableError(msg) from error
        now, own = self._clock.monotonic(), process_time()
        account = Account(now, joules=0.0)
        name = _name(quota, affinity)
        return Guarded(_State(name, self._assumptions(part), quota, affinity, account, busy, busy, own, now))

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
            One reading for all processors. Empty while the source is closed.
        """
        live = self._live
        if live is None:
            return {}
        state = live.carry_on(lambda before: _advanced(before, self._clock.monotonic()))
        if self._live is live:
            self._warn_of_loss(state.name, state.account.reason)
        reading = Reading(
            joules=state.account.joules,
            component="cpu",
            method="modelled",
            tolerance=state.assumptions.tolerance,
            gap_seconds=state.account.gap_seconds_at(state.read_at),
            reason=state.account.reason,
        )
        return {state.name: reading}


def _advanced(state: _State, now: float) -> _State:
    try:
        busy = _busy_seconds(state.quota, state.affinity)
    except system_errors() as error:
        return replace(state, account=state.account.lose(f"utilization cannot be read ({error})"), read_at=now)
    own = process_time()
    if busy == state.answered_seconds and own - state.own_seconds > _MOST_OWN_SECONDS:
        return replace(state, account=state.account.lose(_STILL), read_at=now)
    counted_until = min(state.busy_seconds, busy)  # the count restarts after a migration to another machine
    elapsed_seconds = now - state.account.answered_at
    basis = state.assumptions
    # The system counts in steps of some 10 ms. Any excess over the passed time is left to the next reading.
    counted_seconds = min(elapsed_seconds * basis.cpus, busy - counted_until)
    idle_watts = basis.idle_share * basis.share_watts
    joules = idle_watts * elapsed_seconds + (basis.share_watts - idle_watts) * counted_seconds / basis.cpus
    return replace(
        state,
        account=state.account.add(joules, now),
        busy_seconds=counted_until + counted_seconds,
        answered_seconds=busy,
        own_seconds=state.own_seconds if busy == state.answered_seconds else own,
        read_at=now,
    )


def _limits(part: Allotment) -> tuple[Quota | None, Sequence[int] | None]:
    """Return the quota that limits the processor time, or else the processors that count."""
    bound = part.host_cpus if part.affinity is None else len(part.affinity)
    return (part.quota, None) if part.quota and part.quota.cpus < bound else (None, part.affinity)


def _name(quota: Quota | None, affinity: Sequence[int] | None) -> str:
    if quota is not None:
        return group_name(_NAME, quota.usage)
    return _NAME if affinity is None else bound_name(_NAME, affinity)


def _busy_seconds(quota: Quota | None, affinity: Sequence[int] | None) -> float:
    """Return the cumulative busy time of the processors that count, in s."""
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

"""Processors by a model of their power, where nothing can be measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from green_callbacks.clock import Clock
from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.records import Reading
from green_callbacks.sources._device import SYSTEM_CLOCK, Account, LiveSource, checked_at_least_zero
from green_callbacks.sources._processor import Quota, quota, threads_per_core, watts_per_core

_TOLERANCE: Final = 0.40
"""Fischer, "Ground-Truthing AI Energy Consumption" (arXiv:2509.22092): models off by up to 40 % of a wall meter."""
_IDLE_SHARE: Final = 0.2
"""Cloud Carbon Footprint's means over SPECpower results: 0.74 W idle and 3.5 W busy per virtual processor."""
_BUSY: Final = ("user", "nice", "system", "irq", "softirq")
_NAME: Final = "cpu:model"


@dataclass(frozen=True, slots=True)
class _Share:
    """The processors that this process may use: a quota of its container, its affinity, or all.

    Attributes:
        cpus: How many they are.
        watts: Their power when all are busy, in W.
        quota: The limit of the container; None if there is none.
        affinity: Their numbers; None if they are not certain ones.
    """

    cpus: float
    watts: float
    quota: Quota | None
    affinity: Sequence[int] | None

    def busy_seconds(self) -> float:
        """Return the cumulative time in which they were busy, in s, summed over them."""
        import psutil

        if self.quota is not None:
            return self.quota.used_seconds()
        if self.affinity is None:
            return _busy(psutil.cpu_times())
        times = psutil.cpu_times(percpu=True)
        return sum(_busy(times[cpu]) for cpu in self.affinity if cpu < len(times))


@dataclass(frozen=True, slots=True)
class _State:
    """The account of the processors, and how much of their busy time it holds."""

    share: _Share
    account: Account
    busy_seconds: float


class CpuModelSource(LiveSource[_State]):
    """Processor power modelled between idle and design power by how busy the processors are.

    Integrated from the cumulative times of the operating system, so nothing is sampled and nothing is missed: the
    energy is that of the mean utilisation, since the model is linear in it. Counted is the share of the machine that
    this process may use: as much as the quota of its container, else the processors it is bound to, else all,
    whoever keeps them busy. Memory is not included.

    Args:
        tdp_watts: Design power of all processors of the machine together, in W. Unless given it is the one of the
            makers' specifications for common models, else the median of those, per core.
        idle_share: Power when idle over design power; 0.2 unless given (Cloud Carbon Footprint's means over SPECpower
            results: 0.74 W of 3.5 W per virtual processor).
        clock: The time.

    Raises:
        ConfigurationError: A power or share that cannot be.
    """

    def __init__(
        self, *, tdp_watts: float | None = None, idle_share: float = _IDLE_SHARE, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        super().__init__()
        self._tdp_watts = None if tdp_watts is None else checked_at_least_zero(tdp_watts, "tdp_watts")
        self._idle_share = checked_at_least_zero(idle_share, "idle_share")
        if self._idle_share > 1:
            msg = f"idle_share must be between 0 and 1, not {idle_share!r}."
            raise ConfigurationError(msg)
        self._clock = clock

    def _begin(self) -> _State:
        try:
            share = _share(self._tdp_watts)
            busy_seconds = share.busy_seconds()
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            msg = (
                f"The operating system does not tell how busy its processors are ({error}): check that psutil imports."
            )
            raise SourceUnavailableError(msg) from error
        return _State(share, Account(self._clock.monotonic(), joules=0.0), busy_seconds)

    def read(self) -> Mapping[str, Reading]:
        """Model the energy of the processors up to now.

        Returns:
            One reading for all processors; nothing while the source is closed.
        """
        with self._lock:
            if self._live is None:
                return {}
            now = self._clock.monotonic()
            self._live = state = _advanced(self._live, now, self._idle_share)
            self._warn_of_loss(_NAME, state.account.reason)
        reading = Reading(
            joules=state.account.joules,
            component="cpu",
            method="modelled",
            tolerance=_TOLERANCE,
            gap_seconds=state.account.gap_seconds_at(now),
            reason=state.account.reason,
        )
        return {_NAME: reading}


def _advanced(state: _State, now: float, idle_share: float) -> _State:
    share = state.share
    try:
        busy_seconds = share.busy_seconds()
    except (OSError, RuntimeError, ValueError) as error:
        return replace(state, account=state.account.lose(f"utilisation cannot be read: {error}"))
    if busy_seconds < state.busy_seconds:  # counted anew, after a migration to another machine
        state = replace(state, busy_seconds=busy_seconds)
    elapsed_seconds = now - state.account.answered_at
    # The system counts in steps of some 10 ms: what exceeds the time that has passed is left to the next reading.
    counted_seconds = min(elapsed_seconds * share.cpus, busy_seconds - state.busy_seconds)
    idle_watts = idle_share * share.watts
    joules = idle_watts * elapsed_seconds + (share.watts - idle_watts) * counted_seconds / share.cpus
    return _State(share, state.account.add(joules, now), state.busy_seconds + counted_seconds)


def _share(tdp_watts: float | None) -> _Share:
    import psutil

    total = psutil.cpu_count() or 1
    affinity = _affinity(total)
    limit = quota()
    cpus: float = len(affinity) if affinity else total
    if limit is not None and limit.cpus < cpus:
        cpus, affinity = limit.cpus, None
    else:
        limit = None
    watts = watts_per_core() * cpus / threads_per_core() if tdp_watts is None else tdp_watts * cpus / total
    return _Share(cpus, watts, limit, affinity)


def _affinity(total: int) -> Sequence[int] | None:
    """Return the processors to which this process is bound; None if it may use all, or where that is not known."""
    import psutil

    process = psutil.Process()
    if not hasattr(process, "cpu_affinity"):  # macOS
        return None
    try:
        allowed = process.cpu_affinity()
    except (psutil.Error, OSError):
        return None
    return sorted(allowed) if len(allowed) < total else None


def _busy(times: Any) -> float:  # noqa: ANN401  its fields differ from system to system
    return float(sum(getattr(times, field, 0.0) for field in _BUSY))

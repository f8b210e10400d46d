"""The job's share of the energy of a shared GPU, by SM utilization."""

from collections import deque
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from green_callbacks.clock import Clock
from green_callbacks.records import Reading
from green_callbacks.sources.common.device import ForkSafeLock
from green_callbacks.sources.common.never_falling import never_below
from green_callbacks.sources.job.process_family import ProcessFamily
from green_callbacks.sources.nvidia.driver.calls import DriverError
from green_callbacks.sources.nvidia.driver.time_stamps import MICROSECONDS_PER_SECOND, StampClock
from green_callbacks.sources.nvidia.gpu import MeasuredGpu
from green_callbacks.sources.nvidia.sensor import GpuSensor
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

GpuSharing = Literal["sm_utilization"]
"""Ways to divide the energy of a GPU among its users."""

SHARE_TOLERANCE: Final = 0.40
"""Relative tolerance of a share (by convention). SM utilization shows neither how many multiprocessors a kernel fills,
nor how hard they work."""
_IDLE_LIMIT_SHARE: Final = 0.20
"""Largest idle power as a share of the power limit (by convention, as for processors)."""
_ASK_SECONDS: Final = 0.9
"""Shortest interval between two requests, in s. The driver samples one to six times a second (manual of nvidia-smi)."""
_PATIENCE_SECONDS: Final = 2.0
"""Time in s for which an empty answer may mean that the driver has not sampled yet. After it, nobody computed."""
_SILENT_SECONDS: Final = 10.0
"""Time of refused requests, in s, after which the whole GPU counts (by convention)."""
_UNSEEN_SECONDS: Final = 30.0
"""Time in s for which only other processes compute, after which a warning is due (by convention)."""
_PRESENT_SECONDS: Final = 60.0
"""Time in s for which a process that computed counts as a user of the GPU (by convention)."""
_HIGHEST_PERCENT: Final = 100
"""Largest utilization that is believed, in percent."""
_RECENT_INTERVALS: Final = 8
"""Number of intervals whose shares give the bounds of the next share (by experiment)."""
_REFUSALS: Final = frozenset({None, 3, 4, 13})
"""Return codes after which no request will succeed (``nvml.h``). The function is missing in the binding, is not
supported, is not permitted, or is missing in the library."""


class UsageInterval(NamedTuple):
    """The use of a GPU between two requests to the driver."""

    joules: float
    """Energy of the GPU, in J."""
    seconds: float
    """Measured time without gaps, in s."""
    own_percent: float
    """SM utilization by the job, in percent."""
    all_percent: float
    """SM utilization by all processes, in percent."""
    process_share: float
    """The job's share of the processes on the GPU, 0 to 1."""

    def own_joules(self, idle_watts: float) -> float:
        """Return the job's energy, in J.

        It is ``idle * process_share + (energy - idle) * own / all``. Here ``idle`` is the idle power times the time, or
        the whole energy if nobody computed. The energies of all jobs add up to the GPU's. Kepler divides active power
        likewise (sustainable-computing-io/kepler, pull request #2384), and divided idle power by processes (its
        ``ratio.go``, issue #1293). It is a convention, since no meter shows whose a joule is.

        Args:
            idle_watts: Power when nobody computes, in W.
        """
        if self.all_percent <= 0:
            return self.joules * self.process_share
        idle_joules = min(self.joules, idle_watts * self.seconds)
        return idle_joules * self.process_share + (self.joules - idle_joules) * self.own_percent / self.all_percent


class IdlePower:
    """The power of a GPU on which nobody computes, estimated by the lowest mean power of an interval so far.

    While others work without a pause, this estimate is far too high, and would divide all energy by processes. So it is
    limited to 20 % of the power limit, by the same convention as for processors. If a GPU reports no limit, all of its
    power is active until nobody has computed for a while, as in Kepler.

    Args:
        limit_watts: The power limit, in W. None if it is not known.
    """

    def __init__(self, limit_watts: float | None) -> None:
        self.watts = _IDLE_LIMIT_SHARE * (limit_watts or 0.0)
        self._is_guess = limit_watts is None

    def observe(self, interval: UsageInterval) -> None:
        """Take in an interval.

        Args:
            interval: The interval.
        """
        watts = interval.joules / interval.seconds if interval.seconds > 0 else 0.0
        if watts > 0 and (watts < self.watts or (self._is_guess and interval.all_percent <= 0)):
            self.watts, self._is_guess = watts, False


class SmShare:
    """The part of the readings of one GPU that belongs to this process and its descendants.

    About once a second, :meth:`update` closes an interval on the worker. An edge divides the energy since then like the
    last interval. Its bounds show how far the last few shares differ. Readings never decrease. If a later interval
    gives less, the reading stays until the estimate catches up.

    The whole GPU counts until one of the job's processes was seen computing, and while the driver gives no answer. The
    driver may see processes under other ids, as from within a container.

    Args:
        gpu: The whole GPU.
        sensor: Its sensors.
        clock: The clock.
    """

    def __init__(self, gpu: MeasuredGpu, sensor: GpuSensor, clock: Clock) -> None:
        self._gpu = gpu
        self._sensor = sensor
        self._clock = clock
        self._family = ProcessFamily()
        self._idle = IdlePower(sensor.limit_watts())
        self._stamp = 0
        self._stamps = StampClock(clock)
        self._asked_at = self._closed_at = self._answered_at = clock.monotonic()
        self._whole_joules = self._own_joules = gpu.joules_so_far() or 0.0
        self._returned_joules = self._gap_seconds = 0.0
        self._recent: deque[float] = deque([1.0], maxlen=_RECENT_INTERVALS)
        self._seen_at: dict[int, float] = {}
        self._own: frozenset[int] = frozenset()
        self._unseen_seconds = 0.0
        self._is_ours_seen = self._is_known = self._is_applied = self._was_lost = self._warned = False
        self._is_refused = not self._begin()

    @property
    def is_answered(self) -> bool:
        """Whether the driver reports who computes, so that other processes are noticed."""
        return not self._is_refused

    def update(self, lock: ForkSafeLock) -> None:
        """Ask who has computed, and divide the energy since the last request. The driver is asked about once a second.

        Args:
            lock: Held while the energy is read and divided, but not while the driver searches for processes.
        """
        now = self._clock.monotonic()
        if self._is_refused or now - self._asked_at < _ASK_SECONDS:
            return
        self._asked_at = now
        if self._gpu.reason is not None:
            self._answered_at, self._was_lost = now, True
            return
        try:
            percents = self._ask()
        except DriverError as error:
            if now - self._answered_at >= _SILENT_SECONDS:
                self._warn(f"the driver no longer reports who uses it ({error})")
                with lock:
                    self._close_whole()
            return
        self._answered_at = now
        if percents or now - self._closed_at >= _PATIENCE_SECONDS:
            with lock:
                self._close(percents)

    def of_job(self, reading: Reading) -> Reading:
        """Return the job's part of a reading of the whole GPU.

        Args:
            reading: The energy of the whole GPU.
        """
        flag = "sm_share" if self._is_known else "share_unknown"
        if reading.joules is None or not self._is_applied:
            self._returned_joules = reading.joules or 0.0
            return reading._replace(flags=(*reading.flags, flag))
        part, since = self._recent[-1], max(0.0, reading.joules - self._whole_joules)
        joules = self._own_joules + part * since
        below = part * reading.below_joules + (part - min(self._recent)) * since
        above = part * reading.above_joules + (max(self._recent) - part) * since
        joules, below, above = never_below(self._returned_joules, (joules, below, above))
        self._returned_joules = joules
        return reading._replace(
            joules=joules,
            method="modelled",
            tolerance=SHARE_TOLERANCE,
            below_joules=min(below, joules),
            above_joules=above,
            lag_joules=part * reading.lag_joules,
            flags=(*reading.flags, flag),
        )

    def _begin(self) -> bool:
        """Ask for the first time, and return whether later requests may succeed."""
        try:
            self._ask()
        except DriverError as error:
            if getattr(error.__cause__, "value", None) in _REFUSALS:
                self._warn(f"the driver does not report who uses it ({error}), as under MIG or if only root may know")
                return False
        return True

    def _ask(self) -> dict[int, int]:
        """Return the SM utilization by process since the last request, in percent, and note the processes."""
        percents: dict[int, int] = {}
        self._stamp += round(min(0.0, self._stamps.take_step_seconds()) * MICROSECONDS_PER_SECOND)
        newest = self._stamps.stamp_now()
        for stamp, pid, percent in self._sensor.process_samples(self._stamp):
            if 0 < percent <= _HIGHEST_PERCENT:  # some drivers report invalid values (Syllo/nvtop, issue #110)
                # A stamp in the future is from before the time of day was set back. It would hide all newer samples.
                self._stamp = max(self._stamp, min(stamp, newest))
                percents[pid] = percents.get(pid, 0) + percent
        now = self._clock.monotonic()
        self._seen_at = {pid: at for pid, at in self._seen_at.items() if now - at < _PRESENT_SECONDS}
        self._seen_at |= dict.fromkeys(percents, now)
        self._own = (self._own & self._seen_at.keys()) | self._family.among(percents)
        self._is_ours_seen = self._is_ours_seen or bool(self._own)
        return percents

    def _close(self, percents: Mapping[int, int]) -> None:
        """Divide the energy since the last request by the utilization."""
        if self._seen_at.keys() - self._own:
            self._gpu.flag("shared")
        if not self._is_ours_seen:
            self._close_whole()
            return
        own = len(self._seen_at.keys() & self._own) or 1  # this job is a user even while it does not compute
        others = len(self._seen_at.keys() - self._own)
        own_percent = sum(percent for pid, percent in percents.items() if pid in self._own)
        interval = self._since(own_percent, sum(percents.values()), own / (own + others))
        if interval is not None:
            if not self._was_lost:
                self._idle.observe(interval)
            if not self._is_known and interval.joules > 0:
                self._recent.clear()  # the time when the whole GPU counted does not show how the share varies
            self._was_lost = False
            self._is_known = self._is_applied = True
            self._divide(interval, interval.own_joules(self._idle.watts))

    def _close_whole(self) -> None:
        """Count the whole GPU, because the job's part is not known."""
        self._is_known = False
        interval = self._since(0.0, 0.0, 1.0)
        if interval is None:
            return
        self._divide(interval, interval.joules)
        if not self._is_ours_seen and self._seen_at:
            self._unseen_seconds += interval.seconds
        if self._unseen_seconds >= _UNSEEN_SECONDS:
            self._warn(
                "only processes compute on it that do not descend from this process. The driver knows the processes of "
                "a container by the ids of the host. Start the container with --pid=host, in Kubernetes with hostPID"
            )

    def _since(self, own_percent: float, all_percent: float, process_share: float) -> UsageInterval | None:
        """Return the interval since the last one, or None while the GPU is lost."""
        joules = self._gpu.joules_so_far()
        if joules is None or self._gpu.reason is not None:
            self._was_lost = True
            return None
        lost_seconds = self._gpu.gap_seconds - self._gap_seconds
        seconds = max(0.0, self._clock.monotonic() - self._closed_at - lost_seconds)
        return UsageInterval(max(0.0, joules - self._whole_joules), seconds, own_percent, all_percent, process_share)

    def _divide(self, interval: UsageInterval, own_joules: float) -> None:
        self._whole_joules += interval.joules
        self._own_joules += own_joules
        self._closed_at, self._gap_seconds = self._clock.monotonic(), self._gpu.gap_seconds
        if interval.joules > 0:
            self._recent.append(own_joules / interval.joules)

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "The job's share of %s is not known, because %s. The whole GPU counts until it is known. Leave share= "
                "out to count the whole GPU always.",
                self._gpu.name,
                why,
            )


def of_job(readings: Mapping[str, Reading], shares: Mapping[str, SmShare]) -> Mapping[str, Reading]:
    """Return readings with the job's part in the place of the whole GPU.

    Args:
        readings: Readings of whole GPUs, by name.
        shares: The job's shares, by name. Other GPUs count as a whole.
    """
    if not shares:
        return readings
    return {name: shares[name].of_job(one) if name in shares else one for name, one in readings.items()}

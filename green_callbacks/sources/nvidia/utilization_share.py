"""The job's share of the energy of a GPU that others use too, by SM utilisation."""

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

SHARE_TOLERANCE: Final = 0.40
"""A convention, as for processors: kernels that run say nothing of how many multiprocessors they fill, or how hard."""
_IDLE_LIMIT_SHARE: Final = 0.20
_ASK_SECONDS: Final = 0.9
"""How often the driver is asked at most: it samples once to six times a second (manual of nvidia-smi)."""
_PATIENCE_SECONDS: Final = 2.0
"""For how long nothing new may mean that the driver has not sampled yet; after that, nobody computed."""
_SILENT_SECONDS: Final = 10.0
_UNSEEN_SECONDS: Final = 30.0
_HELD_SECONDS: Final = 60.0
_HIGHEST_PERCENT: Final = 100
_SWING: Final = 8
_REFUSALS: Final = frozenset({None, 3, 4, 13})
"""The function is missing from the binding, not supported, not permitted, missing from the library."""


class UsageInterval(NamedTuple):
    """What happened on a GPU between two looks."""

    joules: float
    seconds: float
    """How long it was measured, in s: without gaps."""
    own_percent: float
    """SM utilisation by the job."""
    all_percent: float
    """SM utilisation by all."""
    held: float
    """Part of the processes on the GPU that is the job's."""

    def own_joules(self, idle_watts: float) -> float:
        """Return the energy that is the job's.

        ``idle x held + (energy - idle) x own / all``, where ``idle`` is the idle power times the time, or all of the
        energy where nobody computed. It adds up: what all the jobs on a GPU get is its energy. Kepler divides active
        power likewise (sustainable-computing-io/kepler, pull request #2384), and divided idle power by heads (its
        ``ratio.go``, issue #1293). It is a convention: no meter tells whose a joule is.

        Args:
            idle_watts: Power when nobody computes, in W.
        """
        if self.all_percent <= 0:
            return self.joules * self.held
        idle_joules = min(self.joules, idle_watts * self.seconds)
        return idle_joules * self.held + (self.joules - idle_joules) * self.own_percent / self.all_percent


class IdlePower:
    """The power of a GPU on which nobody computes, as far as it is known: the lowest mean of a stretch so far.

    While others work without a pause that is far too high, and would have all the energy divided by heads. So it is
    at most 20 % of the power limit: the same convention as for processors. Of a GPU that tells no limit all power is
    active until nobody has computed on it for a while, as Kepler has it.

    Args:
        limit_watts: The power limit, in W; None if it is not told.
    """

    def __init__(self, limit_watts: float | None) -> None:
        self.watts = _IDLE_LIMIT_SHARE * (limit_watts or 0.0)
        self._is_guess = limit_watts is None

    def saw(self, stretch: UsageInterval) -> None:
        """Take in a stretch of time."""
        watts = stretch.joules / stretch.seconds if stretch.seconds > 0 else 0.0
        if watts > 0 and (watts < self.watts or (self._is_guess and stretch.all_percent <= 0)):
            self.watts, self._is_guess = watts, False


class SmShare:
    """The job's part of the readings of one GPU: this process and its descendants.

    :meth:`look` closes a stretch of time about once a second, on the worker; an edge divides what has run up since
    as the last stretch was, and says with its bounds how far the last few differ. What it said is final: where a
    stretch turns out lower, the reading stands still until it is true again.

    As long as none of the job's processes was ever seen computing, and while the driver does not tell, the whole GPU
    counts: the driver may well see them under other ids, as it does from within a container.

    Args:
        gpu: The whole GPU.
        sensor: Its sensors.
        clock: The time.
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
        self._whole_joules = self._own_joules = gpu.so_far() or 0.0
        self._told_joules = self._gap_seconds = 0.0
        self._recent: deque[float] = deque([1.0], maxlen=_SWING)
        self._seen_at: dict[int, float] = {}
        self._own: frozenset[int] = frozenset()
        self._unseen_seconds = 0.0
        self._is_ours_seen = self._is_known = self._is_applied = self._was_lost = self._warned = False
        self._is_refused = not self._begin()

    @property
    def is_answered(self) -> bool:
        """Whether the driver tells who computes, so that others are noticed."""
        return not self._is_refused

    def update(self, lock: ForkSafeLock) -> None:
        """Ask who has computed, and divide the energy since the last look by it; seldom, whenever it is called.

        Args:
            lock: Held while the energy is read and divided, and not while the driver looks for processes.
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
                self._warn(f"the driver does not tell any more who uses it ({error})")
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
            self._told_joules = reading.joules or 0.0
            return reading._replace(flags=(*reading.flags, flag))
        part, since = self._recent[-1], max(0.0, reading.joules - self._whole_joules)
        joules = self._own_joules + part * since
        below = part * reading.below_joules + (part - min(self._recent)) * since
        above = part * reading.above_joules + (max(self._recent) - part) * since
        joules, below, above = never_below(self._told_joules, (joules, below, above))
        self._told_joules = joules
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
        """Ask for the first time, for what the driver still holds; return whether it is worth asking again."""
        try:
            self._ask()
        except DriverError as error:
            if getattr(error.__cause__, "value", None) in _REFUSALS:
                self._warn(f"the driver does not tell who uses it ({error}), as under MIG or where only root may know")
                return False
        return True

    def _ask(self) -> dict[int, int]:
        """Return how busy processes kept the GPU since the last time, by id; note which they are."""
        percents: dict[int, int] = {}
        self._stamp += round(min(0.0, self._stamps.take_step_seconds()) * MICROSECONDS_PER_SECOND)
        newest = self._stamps.stamp_now()
        for stamp, pid, percent in self._sensor.process_samples(self._stamp):
            if 0 < percent <= _HIGHEST_PERCENT:  # beyond is what no driver means (Syllo/nvtop, issue #110)
                # One later than now is of a time of day that was set back meanwhile: nothing would be newer for long.
                self._stamp = max(self._stamp, min(stamp, newest))
                percents[pid] = percents.get(pid, 0) + percent
        now = self._clock.monotonic()
        self._seen_at = {pid: at for pid, at in self._seen_at.items() if now - at < _HELD_SECONDS}
        self._seen_at |= dict.fromkeys(percents, now)
        self._own = (self._own & self._seen_at.keys()) | self._family.among(percents)
        self._is_ours_seen = self._is_ours_seen or bool(self._own)
        return percents

    def _close(self, percents: Mapping[int, int]) -> None:
        """Divide the energy since the last look by who was busy meanwhile."""
        if self._seen_at.keys() - self._own:
            self._gpu.flag("shared")
        if not self._is_ours_seen:
            self._close_whole()
            return
        own = len(self._seen_at.keys() & self._own) or 1  # this job is here, even if it has not computed for long
        others = len(self._seen_at.keys() - self._own)
        own_percent = sum(percent for pid, percent in percents.items() if pid in self._own)
        stretch = self._since(own_percent, sum(percents.values()), own / (own + others))
        if stretch is not None:
            if not self._was_lost:
                self._idle.saw(stretch)
            if not self._is_known and stretch.joules > 0:
                self._recent.clear()  # that the whole counted says nothing of how the share varies
            self._was_lost = False
            self._is_known = self._is_applied = True
            self._divide(stretch, stretch.own_joules(self._idle.watts))

    def _close_whole(self) -> None:
        """Count the whole GPU, as nothing is known of the job's part."""
        self._is_known = False
        stretch = self._since(0.0, 0.0, 1.0)
        if stretch is None:
            return
        self._divide(stretch, stretch.joules)
        if not self._is_ours_seen and self._seen_at:
            self._unseen_seconds += stretch.seconds
        if self._unseen_seconds >= _UNSEEN_SECONDS:
            self._warn(
                "processes compute on it, but none that is this one or its descendant. In a container the driver knows "
                "them by the ids of the host: start it with --pid=host (Kubernetes: hostPID: true)"
            )

    def _since(self, own_percent: float, all_percent: float, held: float) -> UsageInterval | None:
        """Return the stretch since the last; None while the GPU is lost."""
        joules = self._gpu.so_far()
        if joules is None or self._gpu.reason is not None:
            self._was_lost = True
            return None
        lost_seconds = self._gpu.gap_seconds - self._gap_seconds
        seconds = max(0.0, self._clock.monotonic() - self._closed_at - lost_seconds)
        return UsageInterval(max(0.0, joules - self._whole_joules), seconds, own_percent, all_percent, held)

    def _divide(self, stretch: UsageInterval, own_joules: float) -> None:
        self._whole_joules += stretch.joules
        self._own_joules += own_joules
        self._closed_at, self._gap_seconds = self._clock.monotonic(), self._gpu.gap_seconds
        if stretch.joules > 0:
            self._recent.append(own_joules / stretch.joules)

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "%s: %s. The whole GPU counts, whoever uses it, until that is known; leave share= out to have it so.",
                self._gpu.name,
                why,
            )


def of_job(readings: Mapping[str, Reading], shares: Mapping[str, SmShare]) -> Mapping[str, Reading]:
    """Return readings with the job's part in the place of the whole, where it is asked for.

    Args:
        readings: Readings of whole GPUs, by name.
        shares: The shares that are asked for, by name.
    """
    if not shares:
        return readings
    return {name: shares[name].of_job(one) if name in shares else one for name, one in readings.items()}

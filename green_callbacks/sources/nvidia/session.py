"""Everything that is live while NVIDIA GPUs are measured, with the lock around their driver."""

import heapq
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from typing import Final, TypeVar

from green_callbacks.clock import Clock
from green_callbacks.process import process_id
from green_callbacks.records import DeviceInfo, Reading
from green_callbacks.sources.common.device import ForkSafeLock
from green_callbacks.sources.nvidia.driver.activity_calls import ActivityDriver
from green_callbacks.sources.nvidia.driver.calls import Driver
from green_callbacks.sources.nvidia.gpu import MeasuredGpu
from green_callbacks.sources.nvidia.sensor import GpuSensor
from green_callbacks.sources.nvidia.usage.activity import ActivityWatch
from green_callbacks.sources.nvidia.usage.other_processes import LISTING_SECONDS, OtherProcesses
from green_callbacks.sources.nvidia.usage.utilization_share import SmShare, of_job
from green_callbacks.sources.nvidia.visible_devices import Chosen
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

Result = TypeVar("Result")

_SHORT_SECONDS: Final = 0.03
"""Longest pause, in s, that is slept through. A longer pause can be interrupted by closing, but costs more CPU."""
_CLOSING_SECONDS: Final = 0.2
"""Longest time, in s, that closing waits for a slow driver."""


class Session:
    """Everything that is live while a source is open.

    Args:
        driver: The driver, initialized.
        clock: The clock.

    Attributes:
        process: Id of the process that opened the driver. A forked child must not use it.
        lock: Held during every call of the driver.
        closing: Set when the source closes. Then nothing more may ask the driver.
        gpus: The measured GPUs.
        others: Each GPU with the search for other processes on it.
        shares: The job's share of each GPU that is divided, by name.
        watch: What the GPUs do besides using energy.
        infos: Descriptions of the GPUs so far, by name.
        listing_due_seconds: Monotonic time of the next search for other processes, in s.
    """

    def __init__(self, driver: Driver, clock: Clock) -> None:
        self._driver = driver
        self._clock = clock
        self.process = process_id()
        self.lock = ForkSafeLock()
        self.closing = threading.Event()
        self.gpus: list[MeasuredGpu] = []
        self.others: list[tuple[MeasuredGpu, OtherProcesses]] = []
        self.shares: dict[str, SmShare] = {}
        self.watch = ActivityWatch(ActivityDriver(driver), clock)
        self.infos: dict[str, DeviceInfo] = {}
        self.listing_due_seconds = 0.0

    def add(self, chosen: Chosen, *, is_divided: bool) -> None:
        """Begin to measure a GPU.

        Args:
            chosen: The GPU.
            is_divided: Whether only the job's share counts. A slice of MIG is never divided.
        """
        sensor = GpuSensor(self._driver, chosen.gpu.uuid, chosen.gpu.name, chosen.gpu.handle)
        gpu = MeasuredGpu(chosen, sensor, self._clock)
        others = OtherProcesses(sensor, chosen.mig.instance[0] if chosen.mig else None)
        self.gpus.append(gpu)
        self.others.append((gpu, others))
        self.watch.add(gpu.name, sensor, is_slice=chosen.mig is not None)
        if not self._driver.is_slow and others.is_there():
            gpu.flag("shared")
        if is_divided and chosen.mig is None:
            self.shares[gpu.name] = SmShare(gpu, sensor, self._clock)

    def read(self) -> Mapping[str, Reading]:
        """Return the energy of every GPU now. Returns nothing once the source is closing."""
        with self.lock:
            if self.closing.is_set():
                return {}
            whole = {gpu.name: gpu.read() for gpu in self.gpus}
            return of_job(whole, self.shares) if self.shares else whole

    def describe(self) -> Mapping[str, DeviceInfo]:
        """Return the descriptions of the GPUs. The driver is asked once for each."""
        for gpu in self.gpus:
            with self.lock:
                if self.closing.is_set():
                    return {}
                if gpu.name not in self.infos:
                    self.infos[gpu.name] = gpu.describe()
        return dict(self.infos)

    def flag_shared(self) -> None:
        """Flag the GPUs on which other processes compute. The driver is asked at most every 30 s."""
        now = self._clock.monotonic()
        if now < self.listing_due_seconds:
            return
        self.listing_due_seconds = now + LISTING_SECONDS
        for gpu, others in self.others:
            share = self.shares.get(gpu.name)
            if gpu.is_shared or (share is not None and share.is_answered):
                continue
            with self.lock:
                if not self.closing.is_set() and others.is_there():
                    gpu.flag("shared")

    def interleave(
        self, works: Sequence[Generator[float, None, Result]], beside: Sequence[Generator[float, None, object]] = ()
    ) -> list[Result | None]:
        """Run several pieces of work with pauses, and continue each at the time for which it asked.

        Args:
            works: The work that must be finished.
            beside: Work that runs only as long as the other work takes.

        Returns:
            The results of ``works``, each None if the source was closed before the work ended.
        """
        results: list[Result | None] = [None] * len(works)
        queue = [(0.0, number) for number in range(len(works) + len(beside))]
        running = set(range(len(works)))
        steps = [*works, *beside]
        while queue and running:
            wake, number = heapq.heappop(queue)
            self._wait_until(wake)
            try:
                with self.lock:
                    if self.closing.is_set():
                        break
                    heapq.heappush(queue, (next(steps[number]), number))
            except StopIteration as done:
                if number in running:
                    results[number] = done.value
                    running.discard(number)
        return results

    def _wait_until(self, seconds: float) -> None:
        remaining = seconds - self._clock.monotonic()
        if remaining > _SHORT_SECONDS:
            self.closing.wait(remaining)
        elif remaining > 0:
            time.sleep(remaining)  # cheaper than the event, and a closing source can wait this long

    def close(self) -> None:
        """Shut the driver down. A driver that hangs is left behind after 0.2 s."""
        self.closing.set()
        if not _shut_down(self._driver, self.lock, self.watch.lock, _CLOSING_SECONDS):
            logger.warning(
                "NVIDIA's driver has not answered for %.1f s. It is not shut down. Look for errors of the GPU (Xid) "
                "in 'dmesg'.",
                _CLOSING_SECONDS,
            )


def _shut_down(driver: Driver, lock: ForkSafeLock, other_lock: threading.Lock, timeout_seconds: float) -> bool:
    """Shut the driver down as soon as no other thread is in a call of it, and return whether it was in time.

    Args:
        driver: The driver.
        lock: Held by every thread that is in a call about the energy.
        other_lock: Held by the thread that is in a call about the activity.
        timeout_seconds: How long to wait, in s. After that the driver is shut down in the background.
    """

    def shut_down() -> None:
        with lock, other_lock:
            driver.close()

    thread = threading.Thread(target=shut_down, name="green_callbacks close of NVIDIA's driver", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the process cannot start another thread
        return False
    thread.join(timeout_seconds)
    return not thread.is_alive()

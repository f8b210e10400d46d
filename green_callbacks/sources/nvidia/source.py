"""NVIDIA GPUs, by the energy counter of the driver or, where there is none, by sampled power."""

import heapq
import os
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from typing import Final, TypeVar

from green_callbacks.clock import Clock, SystemClock
from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.process import process_id
from green_callbacks.records import DeviceInfo, Reading
from green_callbacks.sources.common.device import ForkSafeLock, LiveSource
from green_callbacks.sources.common.option_checks import checked_names
from green_callbacks.sources.nvidia.driver.calls import Driver, DriverError
from green_callbacks.sources.nvidia.driver.remedy import none_chosen, remedy, without_power
from green_callbacks.sources.nvidia.gpu import MeasuredGpu
from green_callbacks.sources.nvidia.other_processes import FIRST_LISTING_SECONDS, LISTING_SECONDS, OtherProcesses
from green_callbacks.sources.nvidia.sensor import GpuSensor
from green_callbacks.sources.nvidia.utilization_share import GpuSharing, SmShare, of_job
from green_callbacks.sources.nvidia.visible_devices import Chosen, bare_uuid, choose, find_gpus, names_slices
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

Result = TypeVar("Result")

_SHORT_SECONDS: Final = 0.03
"""Longest pause, in s, that is slept through. A longer pause can be interrupted by closing, but costs more CPU."""
_BURST_SECONDS: Final = 0.045
"""Longest time, in s, for which one :meth:`NvmlSource.poll` samples.

Waking the worker costs as much as a sample, but other users of the worker wait for the whole burst.
"""
_CLOSING_SECONDS: Final = 0.2
"""Longest time, in s, that :meth:`NvmlSource.close` waits for a slow driver."""


class _Session:
    """Everything that is live while an :class:`NvmlSource` is open.

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
        if not _shut_down(self._driver, self.lock, _CLOSING_SECONDS):
            logger.warning(
                "NVIDIA's driver has not answered for %.1f s. It is not shut down. Look for errors of the GPU (Xid) "
                "in 'dmesg'.",
                _CLOSING_SECONDS,
            )


class NvmlSource(LiveSource[_Session]):
    """The NVIDIA GPUs that this process uses, each as a whole.

    The energy counter of the driver refreshes only about every 100 ms. :meth:`read` does not wait for a refresh. It
    estimates the energy since the last refresh from the counter's phase and the present power. :meth:`poll` follows
    the phase with a few sparse reads. The bounds of a reading hold the true energy in 95 % of cases.
    :meth:`read_settled` waits for a refresh. ``green_callbacks.sources.nvidia.counter`` explains the model.

    Some GPUs have no counter, or a counter that stands still or contradicts the power. Their power is sampled by
    :meth:`poll`. A GPU that does not answer keeps the energy so far and is asked again.

    A GPU is measured as a whole. If other processes compute on it, it is flagged ``shared``. The driver is asked for
    such processes at the start, after 1 s, and then every 30 s.

    ``share="sm_utilization"`` counts only the part of this process and its descendants. It is labeled as modelled,
    ±40 %, and follows these conventions, since no meter shows whose a joule is:

    * Active power is divided by SM utilization.
    * Idle power is divided by the number of processes that computed in the last minute.
    * Idle power is the lowest power seen, but at most 20 % of the power limit.

    The driver is asked about once a second, on the worker. The whole GPU counts, flagged ``share_unknown``, until the
    job was seen computing. This is also the case if the driver does not report processes, or reports the ids of
    another namespace, as in a container. A slice of MIG always counts by its size.

    Args:
        uuids: UUIDs of the GPUs, as a framework reports them. Defaults to the GPUs in ``CUDA_VISIBLE_DEVICES``, or to
            all GPUs if it is unset.
        share: ``"sm_utilization"`` to count only the job's share. Defaults to the energy of the whole GPUs.
        clock: The clock. Defaults to the machine's.

    Raises:
        ConfigurationError: ``uuids`` is not a sequence of names, or ``share`` is unknown.

    Example:
        >>> source = NvmlSource(["GPU-8932f937"])
        >>> source.read()  # a closed source has no devices
        {}
    """

    lively_seconds = 0.02
    """Trust after an answer, in s, by convention. In so short a time a driver hardly falls asleep or off the bus."""

    def __init__(
        self, uuids: Sequence[str] | None = None, *, share: GpuSharing | None = None, clock: Clock | None = None
    ) -> None:
        super().__init__()
        self._uuids = checked_names(uuids, "uuids must be a list of GPU UUIDs", "GPU-8932f937-d72c-...")
        if share not in (None, "sm_utilization"):
            msg = f"share must be 'sm_utilization', or None for the whole GPUs, not {share!r}."
            raise ConfigurationError(msg)
        self._sharing: GpuSharing | None = share
        self._clock: Clock = clock or SystemClock()
        self._burst_seconds = _BURST_SECONDS

    @property
    def poll_seconds(self) -> float | None:  # type: ignore[override]  # the base allows it per object
        """Present interval between two calls of :meth:`poll`, in s. It changes when a counter cannot be trusted."""
        session = self._live
        return None if session is None else min((gpu.poll_seconds for gpu in session.gpus), default=None)

    def open(self) -> None:
        """Find the GPUs and the phase of their counters. This takes about a quarter of a second.

        Raises:
            SourceUnavailableError: There is no driver, no GPU, or no GPU that this process may use.
        """
        if self._session() is not None:
            return
        self._live = None  # a forked child opens its own
        super().open()
        session = self._session()
        if session is not None:
            session.interleave([gpu.find() for gpu in session.gpus])

    def _begin(self) -> _Session:
        driver = Driver.open(self._clock)
        try:
            session = self._measured(driver)
        except (DriverError, SourceUnavailableError) as error:
            driver.close()
            if isinstance(error, SourceUnavailableError):
                raise
            code = getattr(error.__cause__, "value", None)
            msg = f"No NVIDIA GPU can be measured. The driver says '{error}'. {remedy(code)}"
            raise SourceUnavailableError(msg) from error
        driver.hurry()
        session.listing_due_seconds = self._clock.monotonic() + FIRST_LISTING_SECONDS
        return session

    def read(self) -> Mapping[str, Reading]:
        """Read every GPU now. This takes two calls of the driver for each GPU, and no waiting."""
        session = self._session()
        return {} if session is None else session.read()

    def describe(self) -> Mapping[str, DeviceInfo]:
        """Return UUID, product name and default power limit of every GPU. The driver is asked once."""
        session = self._session()
        return {} if session is None else session.describe()

    def read_settled(self) -> Mapping[str, Reading]:
        """Wait for the next refresh of every counter, and return the energy at the instant of this *call*.

        A :meth:`read` right after it is as precise. A window begins with both calls and ends with this call.
        """
        session = self._session()
        if session is None:
            return {}
        readings = session.interleave([gpu.settle() for gpu in session.gpus])
        whole = {gpu.name: reading for gpu, reading in zip(session.gpus, readings, strict=True) if reading is not None}
        with session.lock:
            return of_job(whole, session.shares)

    def poll(self) -> None:
        """Follow the counters for 0.1 s or 0.2 s, or sample them once. Sample the power where there is no counter.

        About once a second, the energy of shared GPUs is divided.
        """
        session = self._session()
        if session is None:
            return
        for share in list(session.shares.values()):
            share.update(session.lock)
        session.flag_shared()
        now = self._clock.monotonic()
        due = [gpu for gpu in session.gpus if gpu.is_due(now)]
        if due:
            session.interleave([gpu.work() for gpu in due], [gpu.sample() for gpu in session.gpus if gpu not in due])
        else:
            session.interleave([gpu.sample(self._burst_seconds) for gpu in session.gpus])

    def close(self) -> None:
        """Release the driver. Safe to call again. A driver that hangs is left behind after 0.2 s."""
        session, self._live = self._live, None
        if session is not None and session.process == process_id():
            session.close()

    def _session(self) -> _Session | None:
        """Return the session, or None in a forked child, which must not use the driver of its parent."""
        session = self._live
        return session if session is not None and session.process == process_id() else None

    def _measured(self, driver: Driver) -> _Session:
        found = find_gpus(driver, with_slices=names_slices(self._uuids, os.environ))
        chosen = choose(found, self._uuids, os.environ)
        if not chosen:
            raise SourceUnavailableError(none_chosen(len(found), self._uuids, os.environ))
        if self._uuids is not None and len(chosen) < len(set(map(bare_uuid, self._uuids))):
            logger.warning(
                "The driver does not see all of the GPUs %s. The others are not measured. 'nvidia-smi -L' lists the "
                "GPUs that it sees.",
                self._uuids,
            )
        session = _Session(driver, self._clock)
        for one in chosen:
            session.add(one, is_divided=self._sharing is not None)
        if all(gpu.reason is not None for gpu in session.gpus):
            advice = without_power(is_slice=any(one.mig for one in chosen))
            msg = f"The NVIDIA GPUs here report neither energy nor power ({session.gpus[0].reason}). {advice}"
            raise SourceUnavailableError(msg)
        return session


def _shut_down(driver: Driver, lock: ForkSafeLock, timeout_seconds: float) -> bool:
    """Shut the driver down as soon as no other thread is in a call of it, and return whether it was in time.

    Args:
        driver: The driver.
        lock: Held by every thread that is in a call of the driver.
        timeout_seconds: How long to wait, in s. After that the driver is shut down in the background.
    """

    def shut_down() -> None:
        with lock:
            driver.close()

    thread = threading.Thread(target=shut_down, name="green_callbacks close of NVIDIA's driver", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the process cannot start another thread
        return False
    thread.join(timeout_seconds)
    return not thread.is_alive()

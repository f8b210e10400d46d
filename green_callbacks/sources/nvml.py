"""NVIDIA GPUs, by the energy counter of the driver or, where there is none, by sampled power."""

import heapq
import logging
import os
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from typing import TypeVar

from green_callbacks.clock import Clock, SystemClock
from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.process import process_id
from green_callbacks.records import Reading
from green_callbacks.sources._device import ForkSafeLock
from green_callbacks.sources._nvml_driver import Driver, DriverError
from green_callbacks.sources._nvml_gpu import MeasuredGpu
from green_callbacks.sources._nvml_select import Chosen, choose, find_gpus
from green_callbacks.sources._nvml_sensor import GpuSensor
from green_callbacks.sources._nvml_share import Share, SmShare, of_job
from green_callbacks.sources.base import EnergySource

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

_SHORT_SECONDS = 0.03
_BURST = 10
"""Samples in one call of the worker: going to it and back costs as much as a sample."""


class NvmlSource(EnergySource):
    """The NVIDIA GPUs that this process uses, whole.

    The energy counter of the driver refreshes only about every 100 ms. :meth:`read` does not wait for it: what has run
    up since the last refresh is estimated from the counter's phase, which :meth:`poll` keeps with a few sparse reads,
    and from the present power; the bounds of the reading say how well (95 %). :meth:`read_settled` waits.

    A GPU without a counter, or whose counter stands still or contradicts its power, is sampled by :meth:`poll`. One
    that does not answer keeps what it had, and is asked again.

    A GPU is measured whole, whoever uses it; where other processes compute on it too it is flagged ``shared``. With
    ``share="sm_utilization"`` only the job's part is counted, that of this process and its descendants, and labelled
    as modelled, ±40 %: of active power, its SM utilisation over that of all; of idle power, its processes over all
    that computed there in the last minute. Idle power is the lowest seen, but at most 20 % of the limit. The driver is
    asked about once a second, on the worker. Until the job was seen computing, and where the driver does not tell (or
    tells the ids of another namespace, as in a container), the whole GPU counts, flagged ``share_unknown``. A slice of
    MIG stays the part that it is. It is a convention, since no meter tells whose a joule is.

    Args:
        uuids: The GPUs, by UUID as a framework tells it; those of ``CUDA_VISIBLE_DEVICES`` unless given, read as the
            driver reads it, or all.
        share: ``"sm_utilization"`` to count only the job's share; the whole GPUs' energy unless given.
        clock: The time; the machine's unless given.

    Raises:
        ConfigurationError: ``uuids`` is not a sequence of names, or an unknown way to share.
    """

    def __init__(
        self, uuids: Sequence[str] | None = None, *, share: Share | None = None, clock: Clock | None = None
    ) -> None:
        if isinstance(uuids, str) or (uuids is not None and not all(isinstance(u, str) and u for u in uuids)):
            msg = f"uuids must be a list of GPU UUIDs such as ['GPU-8932f937-d72c-...'], not {uuids!r}."
            raise ConfigurationError(msg)
        if share not in (None, "sm_utilization"):
            msg = f"share must be 'sm_utilization', or None for the whole GPUs, not {share!r}."
            raise ConfigurationError(msg)
        self._share: Share | None = share
        self._shares: dict[str, SmShare] = {}
        self._uuids = None if uuids is None else tuple(uuids)
        self._clock: Clock = clock or SystemClock()
        self._lock = ForkSafeLock()
        self._closing = threading.Event()
        self._driver: Driver | None = None
        self._gpus: list[MeasuredGpu] = []
        self._process = 0
        self._burst = _BURST

    @property
    def poll_seconds(self) -> float | None:  # type: ignore[override]  # the base allows it per object
        """How often :meth:`poll` wants to be called now, in s; changes when a counter can no longer be trusted."""
        return min((gpu.poll_seconds for gpu in self._gpus), default=None)

    def open(self) -> None:
        """Find the GPUs, and the phase of their counters; takes about a quarter of a second.

        Raises:
            SourceUnavailableError: No driver, no GPU, or none that this process may use.
        """
        if self._is_open:
            return
        driver = Driver.open()
        self._shares = {}
        try:
            self._gpus = self._measured(driver)
        except (DriverError, SourceUnavailableError) as error:
            driver.close()
            if isinstance(error, SourceUnavailableError):
                raise
            msg = f"No NVIDIA GPU can be measured: the driver says '{error}'; see 'nvidia-smi'."
            raise SourceUnavailableError(msg) from error
        driver.hurry()
        self._closing = threading.Event()
        self._driver, self._process = driver, process_id()
        self._interleave([gpu.find() for gpu in self._gpus])

    def read(self) -> Mapping[str, Reading]:
        """Read every GPU, now: two calls of the driver each, and no waiting."""
        if not self._is_open:
            return {}
        with self._lock:
            shares = self._shares  # before the GPUs: closing lets go of them in the other order
            whole = {gpu.name: gpu.read() for gpu in self._gpus}
            return of_job(whole, shares) if shares else whole

    def read_settled(self) -> Mapping[str, Reading]:
        """Wait for the next refresh of every counter; return the energy at the instant of this *call*.

        A :meth:`read` right after it is as precise: a window begins with both, and ends with this one.
        """
        if not self._is_open:
            return {}
        shares, gpus = self._shares, self._gpus
        readings = self._interleave([gpu.settle() for gpu in gpus])
        whole = {gpu.name: reading for gpu, reading in zip(gpus, readings, strict=True) if reading is not None}
        with self._lock:
            return of_job(whole, shares)

    def poll(self) -> None:
        """Follow the counters, for a tenth of a second or two, or glance at them; sample where there is none.

        What is shared with others is divided about once a second.
        """
        if not self._is_open:
            return
        for share in list(self._shares.values()):
            share.look(self._lock)
        now = self._clock.monotonic()
        due = [gpu for gpu in self._gpus if gpu.is_due(now)]
        if due:
            self._interleave([gpu.work() for gpu in due], [gpu.sample() for gpu in self._gpus if gpu not in due])
        else:
            self._interleave([gpu.sample(self._burst) for gpu in self._gpus])

    def close(self) -> None:
        """Let go of the driver; safe to call again."""
        driver, self._driver = self._driver, None
        if driver is not None and self._process == process_id():
            self._closing.set()
            with self._lock:
                driver.close()
        self._gpus, self._shares = [], {}

    def __getstate__(self) -> dict[str, object]:
        """Return the options; a copy is closed."""
        return {"_uuids": self._uuids, "_share": self._share, "_clock": self._clock}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Take the options of another source."""
        self.__init__(state["_uuids"], share=state["_share"], clock=state["_clock"])  # type: ignore[misc]

    @property
    def _is_open(self) -> bool:
        """Whether the driver is open in this process: what a fork inherits of it must not be used."""
        return self._driver is not None and self._process == process_id()

    def _measured(self, driver: Driver) -> list[MeasuredGpu]:
        chosen = choose(find_gpus(driver), self._uuids, os.environ)
        if not chosen:
            asked = f"uuids={list(self._uuids)}" if self._uuids is not None else "CUDA_VISIBLE_DEVICES"
            msg = (
                f"This process uses no NVIDIA GPU: {asked} names none that the driver sees; 'nvidia-smi -L' lists them."
            )
            raise SourceUnavailableError(msg)
        if self._uuids is not None and len(chosen) < len(set(self._uuids)):
            logger.warning("Not all of the GPUs %s are seen by the driver; 'nvidia-smi -L' lists them.", self._uuids)
        gpus = [self._measured_gpu(driver, one) for one in chosen]
        if all(gpu.reason is not None for gpu in gpus):
            msg = f"The NVIDIA GPUs here tell neither energy nor power ({gpus[0].reason}); a virtual GPU cannot."
            raise SourceUnavailableError(msg)
        return gpus

    def _measured_gpu(self, driver: Driver, chosen: Chosen) -> MeasuredGpu:
        sensor = GpuSensor(driver, chosen.gpu.uuid, chosen.gpu.name, chosen.gpu.handle)
        gpu = MeasuredGpu(chosen, sensor, self._clock)
        try:
            others = set(driver.process_ids(chosen.gpu.handle)) - {process_id()}
        except DriverError:
            others = set()
        if others:
            gpu.flag("shared")
        if self._share is not None and chosen.mig is None:
            self._shares[gpu.name] = SmShare(gpu, sensor, self._clock)
        return gpu

    def _interleave(
        self, works: Sequence[Generator[float, None, Result]], beside: Sequence[Generator[float, None, object]] = ()
    ) -> list[Result | None]:
        """Do several pieces of work that wait now and then, each going on when it asked to.

        Args:
            works: What must be done.
            beside: What is done as long as that takes.

        Returns:
            What the works returned; None for those that the closing of the source has cut short.
        """
        results: list[Result | None] = [None] * len(works)
        queue = [(0.0, number) for number in range(len(works) + len(beside))]
        running = set(range(len(works)))
        steps = [*works, *beside]
        while queue and running:
            wake, number = heapq.heappop(queue)
            self._wait_until(wake)
            try:
                with self._lock:
                    if self._closing.is_set():
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
            self._closing.wait(remaining)
        elif remaining > 0:
            time.sleep(remaining)  # takes less of the processor, and nobody minds to wait for it

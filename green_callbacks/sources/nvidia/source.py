"""NVIDIA GPUs, by the energy counter of the driver or, where there is none, by sampled power."""

import heapq
import os
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from typing import TypeVar

from green_callbacks.clock import Clock, SystemClock
from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.process import process_id
from green_callbacks.records import DeviceInfo, Reading
from green_callbacks.sources.base import EnergySource
from green_callbacks.sources.common.device import ForkSafeLock
from green_callbacks.sources.common.option_checks import checked_names
from green_callbacks.sources.nvidia.driver.calls import Driver, DriverError
from green_callbacks.sources.nvidia.driver.remedy import none_chosen, remedy, without_power
from green_callbacks.sources.nvidia.gpu import MeasuredGpu
from green_callbacks.sources.nvidia.other_processes import FIRST_LOOK_SECONDS, NEXT_LOOK_SECONDS, Company
from green_callbacks.sources.nvidia.sensor import GpuSensor
from green_callbacks.sources.nvidia.utilization_share import Share, SmShare, of_job
from green_callbacks.sources.nvidia.visible_devices import Chosen, bare_uuid, choose, find_gpus, names_slices
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

Result = TypeVar("Result")

_SHORT_SECONDS = 0.03
_BURST_SECONDS = 0.045
"""For how long one call of the worker samples, in s: going to it and back costs as much as a sample, but whoever waits
for the worker waits for all of them."""
_CLOSING_SECONDS = 0.2
"""How long :meth:`NvmlSource.close` waits for a driver that is slow or hangs, in s."""


class NvmlSource(EnergySource):
    """The NVIDIA GPUs that this process uses, whole.

    The energy counter of the driver refreshes only about every 100 ms. :meth:`read` does not wait for it: what has run
    up since the last refresh is estimated from the counter's phase, which :meth:`poll` keeps with a few sparse reads,
    and from the present power; the bounds of the reading say how well (95 %). :meth:`read_settled` waits.

    A GPU without a counter, or whose counter stands still or contradicts its power, is sampled by :meth:`poll`. One
    that does not answer keeps what it had, and is asked again.

    A GPU is measured whole, whoever uses it; where other processes compute on it too it is flagged ``shared``. The
    driver is asked for them at the start, after a second, and every 30 s. With
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

    lively_seconds = 0.02  # two edges this close have no time for a driver to fall asleep or off the bus

    def __init__(
        self, uuids: Sequence[str] | None = None, *, share: Share | None = None, clock: Clock | None = None
    ) -> None:
        self._uuids = checked_names(uuids, "uuids must be a list of GPU UUIDs", "GPU-8932f937-d72c-...")
        if share not in (None, "sm_utilization"):
            msg = f"share must be 'sm_utilization', or None for the whole GPUs, not {share!r}."
            raise ConfigurationError(msg)
        self._share: Share | None = share
        self._shares: dict[str, SmShare] = {}
        self._clock: Clock = clock or SystemClock()
        self._lock = ForkSafeLock()
        self._closing = threading.Event()
        self._driver: Driver | None = None
        self._gpus: list[MeasuredGpu] = []
        self._company: list[tuple[MeasuredGpu, Company]] = []
        self._company_due_seconds = 0.0
        self._infos: dict[str, DeviceInfo] = {}
        self._process = 0
        self._burst_seconds = _BURST_SECONDS

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
        driver = Driver.open(self._clock)
        self._shares, self._company, self._infos = {}, [], {}
        try:
            self._gpus = self._measured(driver)
        except (DriverError, SourceUnavailableError) as error:
            driver.close()
            if isinstance(error, SourceUnavailableError):
                raise
            code = getattr(error.__cause__, "value", None)
            msg = f"No NVIDIA GPU can be measured: the driver says '{error}'. {remedy(code)}"
            raise SourceUnavailableError(msg) from error
        driver.hurry()
        self._closing = threading.Event()
        self._driver, self._process = driver, process_id()
        self._company_due_seconds = self._clock.monotonic() + FIRST_LOOK_SECONDS
        self._interleave([gpu.find() for gpu in self._gpus])

    def read(self) -> Mapping[str, Reading]:
        """Read every GPU, now: two calls of the driver each, and no waiting."""
        if not self._is_open:
            return {}
        shares, gpus, closing = self._shares, self._gpus, self._closing
        with self._lock:
            if closing.is_set():
                return {}
            whole = {gpu.name: gpu.read() for gpu in gpus}
            return of_job(whole, shares) if shares else whole

    def describe(self) -> Mapping[str, DeviceInfo]:
        """Return UUID, product name and the maker's power limit of every GPU; the driver is asked for them once."""
        if not self._is_open:
            return {}
        gpus, infos, closing = self._gpus, self._infos, self._closing
        for gpu in gpus:
            with self._lock:
                if closing.is_set():
                    return {}
                if gpu.name not in infos:
                    infos[gpu.name] = gpu.describe()
        return dict(infos)

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
        self._look_for_company()
        now = self._clock.monotonic()
        due = [gpu for gpu in self._gpus if gpu.is_due(now)]
        if due:
            self._interleave([gpu.work() for gpu in due], [gpu.sample() for gpu in self._gpus if gpu not in due])
        else:
            self._interleave([gpu.sample(self._burst_seconds) for gpu in self._gpus])

    def _look_for_company(self) -> None:
        """Flag the GPUs on which other processes compute by now; seldom, whenever it is called."""
        now = self._clock.monotonic()
        if now < self._company_due_seconds:
            return
        self._company_due_seconds = now + NEXT_LOOK_SECONDS
        closing = self._closing
        for gpu, company in self._company:
            share = self._shares.get(gpu.name)
            if gpu.is_shared or (share is not None and share.looks):
                continue
            with self._lock:
                if not closing.is_set() and company.is_there():
                    gpu.flag("shared")

    def close(self) -> None:
        """Let go of the driver; safe to call again. A driver that hangs is left behind after 0.2 s."""
        driver, self._driver = self._driver, None
        if driver is not None and self._process == process_id():
            self._closing.set()
            lock, self._lock = self._lock, ForkSafeLock()
            if not let_go(driver, lock, _CLOSING_SECONDS):
                logger.warning(
                    "NVIDIA's driver has not answered for %.1f s. It is left as it is; look at 'dmesg' for errors of "
                    "the GPU (Xid).",
                    _CLOSING_SECONDS,
                )
        self._gpus, self._shares, self._company, self._infos = [], {}, [], {}

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
        found = find_gpus(driver, with_slices=names_slices(self._uuids, os.environ))
        chosen = choose(found, self._uuids, os.environ)
        if not chosen:
            raise SourceUnavailableError(none_chosen(len(found), self._uuids, os.environ))
        if self._uuids is not None and len(chosen) < len(set(map(bare_uuid, self._uuids))):
            logger.warning("Not all of the GPUs %s are seen by the driver; 'nvidia-smi -L' lists them.", self._uuids)
        gpus = [self._measured_gpu(driver, one) for one in chosen]
        if all(gpu.reason is not None for gpu in gpus):
            advice = without_power(is_slice=any(one.mig for one in chosen))
            msg = f"The NVIDIA GPUs here tell neither energy nor power ({gpus[0].reason}). {advice}"
            raise SourceUnavailableError(msg)
        return gpus

    def _measured_gpu(self, driver: Driver, chosen: Chosen) -> MeasuredGpu:
        sensor = GpuSensor(driver, chosen.gpu.uuid, chosen.gpu.name, chosen.gpu.handle)
        gpu = MeasuredGpu(chosen, sensor, self._clock)
        company = Company(sensor, chosen.mig.instance[0] if chosen.mig else None)
        self._company.append((gpu, company))
        if not driver.is_slow and company.is_there():
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
        lock, closing = self._lock, self._closing
        results: list[Result | None] = [None] * len(works)
        queue = [(0.0, number) for number in range(len(works) + len(beside))]
        running = set(range(len(works)))
        steps = [*works, *beside]
        while queue and running:
            wake, number = heapq.heappop(queue)
            self._wait_until(wake)
            try:
                with lock:
                    if closing.is_set():
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


def let_go(driver: Driver, lock: ForkSafeLock, timeout_seconds: float) -> bool:
    """Shut the driver down, as soon as no other thread is in a call of it; return whether it was in time.

    Args:
        driver: The driver.
        lock: Held by whoever is in a call of the driver.
        timeout_seconds: How long to wait, in s; it is done later where it takes longer.
    """

    def shut_down() -> None:
        with lock:
            driver.close()

    thread = threading.Thread(target=shut_down, name="green_callbacks close of NVIDIA's driver", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # no thread is to be had
        return False
    thread.join(timeout_seconds)
    return not thread.is_alive()

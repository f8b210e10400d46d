"""NVIDIA GPUs, by the energy counter of the driver or, where there is none, by sampled power."""

import os
from collections.abc import Mapping, Sequence
from typing import Final

from green_callbacks.clock import Clock, SystemClock
from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.process import process_id
from green_callbacks.records import ActivityTotals, DeviceInfo, Reading
from green_callbacks.sources.common.device import LiveSource
from green_callbacks.sources.common.option_checks import checked_names
from green_callbacks.sources.nvidia.driver.calls import Driver, DriverError
from green_callbacks.sources.nvidia.driver.remedy import none_chosen, remedy, without_power
from green_callbacks.sources.nvidia.session import Session
from green_callbacks.sources.nvidia.usage.other_processes import FIRST_LISTING_SECONDS
from green_callbacks.sources.nvidia.usage.utilization_share import GpuSharing, of_job
from green_callbacks.sources.nvidia.visible_devices import bare_uuid, choose, find_gpus, names_slices
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_BURST_SECONDS: Final = 0.045
"""Longest time, in s, for which one :meth:`NvmlSource.poll` samples.

Waking the worker costs as much as a sample, but other users of the worker wait for the whole burst.
"""


class NvmlSource(LiveSource[Session]):
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

    def _begin(self) -> Session:
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

    @property
    def observe_seconds(self) -> float | None:  # type: ignore[override]  # the base allows it per object
        """Present interval between two calls of :meth:`observe`, in s. It is longer with a slow driver."""
        session = self._live
        return None if session is None else session.watch.interval_seconds

    def observe(self) -> None:
        """Ask what the GPUs do. This takes five calls of the driver for each GPU."""
        session = self._session()
        if session is not None:
            session.watch.sample(session.closing.is_set)

    def activity(self) -> Mapping[str, ActivityTotals]:
        """Return what the GPUs did so far besides using energy, without asking the driver."""
        session = self._session()
        return {} if session is None else session.watch.totals

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

    def _session(self) -> Session | None:
        """Return the session, or None in a forked child, which must not use the driver of its parent."""
        session = self._live
        return session if session is not None and session.process == process_id() else None

    def _measured(self, driver: Driver) -> Session:
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
        session = Session(driver, self._clock)
        for one in chosen:
            session.add(one, is_divided=self._sharing is not None)
        if all(gpu.reason is not None for gpu in session.gpus):
            advice = without_power(is_slice=any(one.mig for one in chosen))
            msg = f"The NVIDIA GPUs here report neither energy nor power ({session.gpus[0].reason}). {advice}"
            raise SourceUnavailableError(msg)
        return session

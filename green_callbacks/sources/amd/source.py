"""AMD GPUs, by the energy counter of the driver, or by sampled power where no counter can be trusted."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from green_callbacks.clock import Clock
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.process import process_id
from green_callbacks.records import DeviceInfo, Reading
from green_callbacks.sources.amd.driver import AmdDriver, AmdDriverError
from green_callbacks.sources.amd.gpu import AMD_SAMPLE_SECONDS, CHECK_SECONDS, MeasuredAmdGpu
from green_callbacks.sources.amd.inventory import AmdGpu, find_gpus
from green_callbacks.sources.amd.visible_devices import choose, metered
from green_callbacks.sources.common.device import SYSTEM_CLOCK, LiveSource
from green_callbacks.sources.common.one_thread import Guarded
from green_callbacks.sources.common.option_checks import checked_names
from green_callbacks.sources.job.process_family import ProcessFamily

SIGNS: Final = (Path("/sys/class/kfd/kfd/topology"), Path("/sys/module/amdgpu"))
"""Paths that exist if the driver of AMD's GPUs is loaded."""


_LISTING_SECONDS: Final = 30.0
"""Interval between two listings of processes on every GPU, in s. A listing takes the driver some ms."""


@dataclass(frozen=True, slots=True)
class _Gpus:
    """The GPUs, and the process that opened them. A forked child must not use the driver.

    Attributes:
        measured: The GPUs that count.
        driver: The driver.
        process: Id of the process.
        family: This process and its descendants.
    """

    measured: Sequence[MeasuredAmdGpu]
    driver: AmdDriver
    process: int
    family: ProcessFamily = field(default_factory=ProcessFamily)


class AmdSmiSource(LiveSource[Guarded[_Gpus]]):
    """The AMD GPUs that this process uses, each as a whole, on Linux with ROCm.

    Some GPUs have no energy counter, or a counter that stands still or contradicts the power or its limit (as was seen
    of MI100 and MI210, ROCm/amdsmi#22, #38). Their power is sampled by :meth:`poll`, 20 times a second. A GPU that does
    not answer keeps its energy, and is searched for again. If other processes use a GPU, too, it is flagged ``shared``.
    The driver is asked for them when the source opens, and every 30 s by :meth:`poll`.

    The two dies of an MI250 have one meter, and so have the partitions of a GPU. Their package counts once, under the
    name of its first part. It is flagged ``whole_package`` if this process does not use all of it. The meter of an
    MI300A includes its processor, and the GPU is flagged ``module``. Graphics inside other processors do not count
    here. :class:`PowercapSource` measures them with their processor.

    It needs ``amdsmi`` (``pip install "green-callbacks[amd]"``, or ROCm's own). It was tested only with fakes, because
    no such GPU was available.

    Args:
        uuids: UUIDs of the GPUs, as ``rocminfo`` or a framework reports them. Defaults to the GPUs that
            ``ROCR_VISIBLE_DEVICES`` and then ``HIP_VISIBLE_DEVICES``, or else ``CUDA_VISIBLE_DEVICES``, leave. If all
            are unset, it defaults to all GPUs.
        clock: The clock. Defaults to the machine's.

    Raises:
        ConfigurationError: ``uuids`` is not a sequence of names.

    Example:
        >>> source = AmdSmiSource(["GPU-95d34ad09d5b6fa6"])
        >>> source.read()  # a closed source has no devices
        {}
    """

    def __init__(self, uuids: Sequence[str] | None = None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__()
        self._uuids = checked_names(uuids, "uuids must be a list of GPU UUIDs", "GPU-95d34ad09d5b6fa6")
        self._clock = clock
        self._listing_due_at = 0.0
        self.poll_seconds = CHECK_SECONDS

    def _begin(self) -> Guarded[_Gpus]:
        driver = AmdDriver.open()
        try:
            found = find_gpus(driver)
        except AmdDriverError as error:
            msg = f"No AMD GPU can be measured. The driver says '{error}'. See `amd-smi list`."
            raise SourceUnavailableError(msg) from error
        opened = [MeasuredAmdGpu(gpu, driver, self._clock) for gpu in self._used(found)]
        if all(gpu.reason is not None for gpu in opened):
            msg = f"The AMD GPUs here report neither energy nor power ({opened[0].reason}). Virtual GPUs cannot."
            raise SourceUnavailableError(msg)
        self._set_pace(opened)
        gpus = Guarded(_Gpus(opened, driver, process_id()))
        self._flag_shared(gpus)
        return gpus

    def read(self) -> Mapping[str, Reading]:
        """Read every GPU now. This takes one call of the driver for each, and no waiting.

        Returns:
            A reading for each package. Empty while the source is closed, or in a forked process.
        """
        live = self._live
        if live is None or live.state.process != process_id():
            return {}
        with live.lock:
            readings = {gpu.name: gpu.read() for gpu in live.state.measured}
        if self._live is live:
            for gpu in live.state.measured:
                self._warn_of_loss(gpu.name, gpu.loss)
        return readings

    def poll(self) -> None:
        """Sample where there is no counter. From time to time, check the counters, and look for other processes."""
        live = self._live
        if live is None or live.state.process != process_id():
            return
        for gpu in live.state.measured:
            with live.lock:  # released after each GPU, because a reader waits for it
                gpu.poll()
        if self._live is live:
            for gpu in live.state.measured:
                self._warn_of_loss(gpu.name, gpu.loss)
            self._set_pace(live.state.measured)
        if self._clock.monotonic() >= self._listing_due_at:
            self._flag_shared(live)

    def describe(self) -> Mapping[str, DeviceInfo]:
        """Return the UUID, the product name and the power limit of every GPU."""
        live = self._live
        return {} if live is None else {gpu.name: gpu.info for gpu in live.state.measured}

    def _flag_shared(self, live: Guarded[_Gpus]) -> None:
        """Flag every GPU that processes outside the family use."""
        self._listing_due_at = self._clock.monotonic() + _LISTING_SECONDS
        gpus = live.state
        for gpu in gpus.measured:
            try:
                users = set(gpus.driver.process_ids(gpu.handle))
            except AmdDriverError:
                continue
            if users - {process_id()} - gpus.family.among(users):
                with live.lock:
                    gpu.flag("shared")

    def _set_pace(self, gpus: Sequence[MeasuredAmdGpu]) -> None:
        # Half the mean interval of a check, as each GPU decides by itself when a check is due.
        self.poll_seconds = AMD_SAMPLE_SECONDS if any(gpu.is_sampled for gpu in gpus) else CHECK_SECONDS / 2

    def _used(self, gpus: Sequence[AmdGpu]) -> list[AmdGpu]:
        chosen = choose(gpus, self._uuids, os.environ)
        used = [gpu for gpu in metered(gpus, chosen) if not gpu.in_processor]
        if not used:
            asked = f"uuids={list(self._uuids)}" if self._uuids is not None else "the *_VISIBLE_DEVICES variables"
            what = "graphics inside a processor, which count with the processor" if chosen else "none of the GPUs here"
            msg = f"This process uses no AMD GPU, because {asked} leave {what}. `amd-smi list` lists the GPUs."
            raise SourceUnavailableError(msg)
        return used


def has_amd_gpu(signs: Sequence[Path] = SIGNS) -> bool:
    """Return whether the driver of AMD's GPUs is loaded. Only then its library is worth loading.

    Args:
        signs: Paths that exist if it is loaded. Defaults to the paths of Linux.
    """
    return any(os.path.exists(sign) for sign in signs)  # noqa: PTH110  raises nothing where they are hidden

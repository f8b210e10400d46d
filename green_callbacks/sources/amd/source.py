"""AMD GPUs, by the energy counter of the driver or, where there is none to be trusted, by sampled power."""

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
from green_callbacks.sources.amd.gpu import LOOK_SECONDS, SAMPLE_SECONDS, MeasuredAmdGpu
from green_callbacks.sources.amd.inventory import AmdGpu, find_gpus
from green_callbacks.sources.amd.visible_devices import choose, metered
from green_callbacks.sources.common.device import SYSTEM_CLOCK, LiveSource
from green_callbacks.sources.common.one_thread import Guarded
from green_callbacks.sources.common.option_checks import checked_names
from green_callbacks.sources.job.process_family import ProcessFamily

SIGNS: Final = (Path("/sys/class/kfd/kfd/topology"), Path("/sys/module/amdgpu"))
"""What is there where the driver of AMD's GPUs is loaded."""


_SHARE_SECONDS: Final = 30.0
"""How often the processes on every GPU are listed, in s: a list takes the driver some ms."""


@dataclass(frozen=True, slots=True)
class _Gpus:
    """The GPUs, and the process that opened them: what a fork inherits of the driver must not be used.

    Attributes:
        measured: The GPUs that count.
        driver: The driver.
        process: Id of the process.
        family: Which processes are this one's.
    """

    measured: Sequence[MeasuredAmdGpu]
    driver: AmdDriver
    process: int
    family: ProcessFamily = field(default_factory=ProcessFamily)


class AmdSmiSource(LiveSource[Guarded[_Gpus]]):
    """The AMD GPUs that this process uses, whole, on Linux with ROCm.

    A GPU without an energy counter, or whose counter stands still or contradicts its power or its limit (as was seen
    of MI100 and MI210: ROCm/amdsmi#22, #38), is sampled by :meth:`poll`, 20 times a second. One that does not answer
    keeps what it had, and is looked up again. Where other processes use a GPU too it is flagged ``shared``. The driver
    is asked for them at the opening, and every 30 s by :meth:`poll`.

    The two dies of an MI250, and the partitions of a GPU that is cut into several, have one meter: their package
    counts, once, under the name of its first part, and is flagged ``whole_package`` where this process does not use
    all of it. The meter of an MI300A holds its processor too: it is flagged ``module``. Graphics inside other
    processors do not count here: their sensors are those of the processor, which :class:`PowercapSource` measures.

    It takes ``amdsmi`` (``pip install "green-callbacks[amd]"``, or ROCm's own). Tested on fakes only: no such GPU was
    at hand.

    Args:
        uuids: The GPUs, by UUID as ``rocminfo`` or a framework tells it; unless given, those that
            ``ROCR_VISIBLE_DEVICES`` leaves and then ``HIP_VISIBLE_DEVICES`` or else ``CUDA_VISIBLE_DEVICES``, or all.
        clock: The time.

    Raises:
        ConfigurationError: ``uuids`` is not a sequence of names.
    """

    def __init__(self, uuids: Sequence[str] | None = None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__()
        self._uuids = checked_names(uuids, "uuids must be a list of GPU UUIDs", "GPU-95d34ad09d5b6fa6")
        self._clock = clock
        self._share_due_at = 0.0
        self.poll_seconds = LOOK_SECONDS

    def _begin(self) -> Guarded[_Gpus]:
        driver = AmdDriver.open()
        try:
            found = find_gpus(driver)
        except AmdDriverError as error:
            msg = f"No AMD GPU can be measured: the driver says '{error}'; see `amd-smi list`."
            raise SourceUnavailableError(msg) from error
        opened = [MeasuredAmdGpu(gpu, driver, self._clock) for gpu in self._used(found)]
        if all(gpu.reason is not None for gpu in opened):
            msg = f"The AMD GPUs here tell neither energy nor power ({opened[0].reason}); a virtual GPU cannot."
            raise SourceUnavailableError(msg)
        self._set_pace(opened)
        gpus = Guarded(_Gpus(opened, driver, process_id()))
        self._flag_shared(gpus)
        return gpus

    def read(self) -> Mapping[str, Reading]:
        """Read every GPU, now: one call of the driver each, and no waiting.

        Returns:
            A reading for each package; nothing while the source is closed, or in a forked process.
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
        """Sample where there is no counter; look now and then whether the counters can be trusted, and who is there."""
        live = self._live
        if live is None or live.state.process != process_id():
            return
        for gpu in live.state.measured:
            with live.lock:  # for one GPU at a time, as a reader waits for it
                gpu.poll()
        if self._live is live:
            for gpu in live.state.measured:
                self._warn_of_loss(gpu.name, gpu.loss)
            self._set_pace(live.state.measured)
        if self._clock.monotonic() >= self._share_due_at:
            self._flag_shared(live)

    def describe(self) -> Mapping[str, DeviceInfo]:
        """Return the UUID, the product name and the power limit of every GPU."""
        live = self._live
        return {} if live is None else {gpu.name: gpu.info for gpu in live.state.measured}

    def _flag_shared(self, live: Guarded[_Gpus]) -> None:
        """Flag every GPU that other processes use too. Those of the family are ours."""
        self._share_due_at = self._clock.monotonic() + _SHARE_SECONDS
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
        # Half the mean time of a look, as each GPU decides by itself when one is due.
        self.poll_seconds = SAMPLE_SECONDS if any(gpu.is_sampled for gpu in gpus) else LOOK_SECONDS / 2

    def _used(self, gpus: Sequence[AmdGpu]) -> list[AmdGpu]:
        chosen = choose(gpus, self._uuids, os.environ)
        used = [gpu for gpu in metered(gpus, chosen) if not gpu.in_processor]
        if not used:
            asked = f"uuids={list(self._uuids)}" if self._uuids is not None else "the *_VISIBLE_DEVICES variables"
            what = "graphics inside a processor, which count with the processor" if chosen else "none that is here"
            msg = f"This process uses no AMD GPU: {asked} leave {what}; `amd-smi list` lists them."
            raise SourceUnavailableError(msg)
        return used


def has_amd_gpu(signs: Sequence[Path] = SIGNS) -> bool:
    """Return whether the driver of AMD's GPUs is loaded: only then is its library worth loading.

    Args:
        signs: What is there if so.
    """
    return any(os.path.exists(sign) for sign in signs)  # noqa: PTH110  raises nothing where they are hidden

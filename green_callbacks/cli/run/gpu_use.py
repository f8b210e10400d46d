"""The GPUs on which processes of a measured command were seen.

All visible GPUs are measured, because the command may take any of them. The energy of a GPU that it never takes should
not count, and the user can see to that.
"""

import threading
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Final

from green_callbacks.errors import SourceUnavailableError
from green_callbacks.sources.job.process_family import ProcessFamily
from green_callbacks.sources.nvidia.driver.calls import Driver, DriverError, NvmlHandle

_FIRST_SECONDS: Final = 2.0
"""Time after which the GPUs are looked at for the first time, in s. Shorter commands are not watched."""
_NEXT_SECONDS: Final = 10.0
"""Interval of later looks, in s. A look takes milliseconds on some drivers."""
_STOP_SECONDS: Final = 0.2
"""Longest time to wait for a look at the end, in s."""
_PREFIX: Final = "gpu:"
_MOST_NAMED: Final = 4
"""Largest number of GPUs that one sentence names."""


class GpuUse:
    """Looks from time to time which GPUs the processes of a command use.

    Args:
        opened: Opens the driver. Defaults to the driver of this machine.
        first_seconds: Time until the first look, in s. Defaults to 2.
    """

    def __init__(self, opened: Callable[[], Driver] = Driver.open, first_seconds: float = _FIRST_SECONDS) -> None:
        self._opened = opened
        self._first_seconds = first_seconds
        self._family = ProcessFamily()
        self._used: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="green_callbacks gpu use", daemon=True)

    def start(self) -> None:
        """Begin to look, on a thread that never keeps anybody waiting. Without one, nothing is known."""
        with suppress(RuntimeError):  # the user may have no more threads, and the energy is measured without it
            self._thread.start()

    def stop(self) -> None:
        """End the looks."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_SECONDS)

    def remark(self, measured: Iterable[str]) -> str | None:
        """Return a sentence about measured GPUs that the command did not use. None if none is known.

        In a container, the driver tells no processes of the command. Then nothing is known.

        Args:
            measured: Names of the measured devices.
        """
        idle = [name for name in measured if name.startswith(f"{_PREFIX}GPU-") and name not in self._used]
        if not self._used or not idle:
            return None
        some = ", ".join(idle[:_MOST_NAMED]) + (", ..." if len(idle) > _MOST_NAMED else "")
        return (
            f"No process of the command was seen on {some}, and this energy counts too. Name the GPUs that it may use "
            "in CUDA_VISIBLE_DEVICES."
        )

    def _watch(self) -> None:
        if self._ended.wait(self._first_seconds):
            return
        with suppress(DriverError, SourceUnavailableError):  # then nothing is known
            driver = self._opened()
            try:
                gpus = [driver.handle_by_index(index) for index in range(driver.device_count())]
                names = {f"{_PREFIX}{driver.uuid(gpu)}": gpu for gpu in gpus}
                while not self._look(driver, names):
                    pass
            finally:
                driver.close()

    def _look(self, driver: Driver, gpus: dict[str, NvmlHandle]) -> bool:
        """Look once. Return whether the command has ended, or uses all GPUs."""
        left = [name for name in gpus if name not in self._used]
        pids = {name: self._pids(driver, gpus[name]) for name in left}
        ours = self._family.among({pid for found in pids.values() for pid in found})
        self._used |= {name for name, found in pids.items() if not ours.isdisjoint(found)}
        return len(self._used) == len(gpus) or self._ended.wait(_NEXT_SECONDS)

    def _pids(self, driver: Driver, gpu: NvmlHandle) -> Collection[int]:
        try:
            return driver.process_ids(gpu)
        except DriverError:
            return ()

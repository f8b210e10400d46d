"""Finds other processes that compute on a GPU, while the run goes on."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from green_callbacks.sources.job.process_family import ProcessFamily
from green_callbacks.sources.nvidia.driver.calls import DriverError
from green_callbacks.sources.nvidia.sensor import GpuSensor

FIRST_LISTING_SECONDS: Final = 1.0
"""Time after the opening when processes are listed again for the first time, in s (by convention)."""
LISTING_SECONDS: Final = 30.0
"""Interval of later listings, in s (by convention). The call takes milliseconds on some drivers."""
_RANK_VARIABLES: Final = ("LOCAL_RANK", "SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK", "PMI_RANK")
"""Variables that torchrun, Lightning, Slurm, Open MPI and MPICH set in each rank."""
_PROC: Final = Path("/proc")


class OtherProcesses:
    """Finds processes on a GPU that do not belong to this job.

    This process, its descendants, and its ranks belong to the job.

    Args:
        sensor: The GPU.
        instance: The measured GPU instance of MIG. None for the whole GPU.
        environment: Environment variables, in which launchers number the ranks. Defaults to os.environ.
        proc: The folder in which the kernel lists processes. Defaults to ``/proc``.
    """

    def __init__(
        self,
        sensor: GpuSensor,
        instance: int | None,
        environment: Mapping[str, str] = os.environ,
        proc: Path = _PROC,
    ) -> None:
        self._sensor = sensor
        self._instance = instance
        self._is_rank = any(name in environment for name in _RANK_VARIABLES)
        self._proc = proc
        self._family = ProcessFamily()
        self._ranks: dict[int, bool] = {}

    def is_there(self) -> bool:
        """Return whether other processes compute on the GPU now, as far as the driver reports them."""
        try:
            running = self._sensor.processes()
        except DriverError:
            return False
        # The driver lists the processes of all slices of a GPU. Processes on other slices do not count.
        here = {None, self._instance}
        pids = {one.pid for one in running if self._instance is None or one.gpu_instance in here}
        ours = self._family.among(pids)
        others = pids - ours - self._ranks_among(pids - ours)
        if others and not ours and self._may_be_me(others):
            return len(others) > 1
        return bool(others)

    def _ranks_among(self, pids: Collection[int]) -> set[int]:
        """Return the processes that the launcher of this process has started, and their descendants."""
        if not self._is_rank:
            return set()
        self._ranks = {pid: self._ranks[pid] if pid in self._ranks else _descends(pid, os.getppid()) for pid in pids}
        return {pid for pid, is_rank in self._ranks.items() if is_rank}

    def _may_be_me(self, pids: Collection[int]) -> bool:
        """Return whether one of the processes may be this one, under an id that only the host knows.

        This is possible in a container if the id does not exist here, and this process uses CUDA.
        """
        if all((self._proc / str(pid)).exists() for pid in pids):
            return False
        try:
            files = list((self._proc / "self" / "fd").iterdir())
        except OSError:
            return False
        return any("nvidia-uvm" in _target(file) for file in files)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # the file was closed just now
        return ""


def _descends(pid: int, ancestor: int) -> bool:
    try:
        import psutil
    except ImportError:
        return False
    try:
        return pid == ancestor or any(parent.pid == ancestor for parent in psutil.Process(pid).parents())
    except (psutil.Error, OSError, ValueError):  # the process does not exist here, or has just ended
        return False

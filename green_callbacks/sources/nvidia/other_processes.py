"""Whether other processes compute on a GPU, looked at again while the run goes on."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from green_callbacks.sources.job.process_family import Family
from green_callbacks.sources.nvidia.driver.calls import DriverError
from green_callbacks.sources.nvidia.sensor import GpuSensor

FIRST_LOOK_SECONDS: Final = 1.0
"""When the processes are listed again for the first time, in s after the opening."""
NEXT_LOOK_SECONDS: Final = 30.0
"""How often they are listed later, in s: the call takes milliseconds on some drivers."""
_RANK_VARIABLES: Final = ("LOCAL_RANK", "SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK", "PMI_RANK")
"""What launchers set in each rank: torchrun and Lightning, Slurm, Open MPI, MPICH."""
_PROC: Final = Path("/proc")


class Company:
    """Looks for processes on a GPU that are not of this job: neither this process, its descendants, nor its ranks.

    Args:
        sensor: The GPU.
        instance: The GPU instance of MIG that is measured; None for the whole GPU.
        environment: Where launchers tell ranks what they are. Defaults to that of the process.
        proc: Where the kernel lists processes. Defaults to ``/proc``.
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
        self._family = Family()
        self._ranks: dict[int, bool] = {}

    def is_there(self) -> bool:
        """Return whether others compute on the GPU now; False where the driver does not tell."""
        try:
            running = self._sensor.processes()
        except DriverError:
            return False
        # The driver lists the processes of all slices of a GPU. Those on another slice are no company on this one.
        here = {None, self._instance}
        pids = {one.pid for one in running if self._instance is None or one.gpu_instance in here}
        ours = self._family.among(pids)
        others = pids - ours - self._ranks_among(pids - ours)
        if others and not ours and self._may_be_me(others):
            return len(others) > 1
        return bool(others)

    def _ranks_among(self, pids: Collection[int]) -> set[int]:
        """Return those that a launcher has started beside this process, and their descendants."""
        if not self._is_rank:
            return set()
        self._ranks = {pid: self._ranks[pid] if pid in self._ranks else _descends(pid, os.getppid()) for pid in pids}
        return {pid for pid, is_rank in self._ranks.items() if is_rank}

    def _may_be_me(self, pids: Collection[int]) -> bool:
        """Return whether one of some processes may be this one under another id, as the host knows a container's.

        It may if one of them is not there under its id, and this process uses CUDA.
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
    except OSError:  # closed just now
        return ""


def _descends(pid: int, ancestor: int) -> bool:
    try:
        import psutil
    except ImportError:
        return False
    try:
        return pid == ancestor or any(parent.pid == ancestor for parent in psutil.Process(pid).parents())
    except (psutil.Error, OSError, ValueError):  # it is not there, or has ended just now
        return False

"""Memory by a model of its power, for users who ask for it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from green_callbacks.clock import Clock
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.records import Reading
from green_callbacks.sources.common.device import SYSTEM_CLOCK, LiveSource, checked_at_least_zero
from green_callbacks.sources.common.option_checks import checked_path
from green_callbacks.sources.cpu.rapl_zones import POWERCAP, find_zones
from green_callbacks.sources.job.allotment import job_gigabytes, memory_name
from green_callbacks.sources.job.operating_system import system_errors
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_WATTS_PER_GIGABYTE: Final = 0.392
"""Power of memory in W/GB, from Cloud Carbon Footprint's methodology.

It is the mean of Crucial's rule of thumb (3 W for 8 GB of DDR3 or DDR4) and Micron's power model (TN-40-07, 0.4083 W/GB
of DDR4).
"""
_DRAM_TOLERANCE: Final = 0.5
"""Relative tolerance (by convention). Makers' rules differ by a tenth, but idle modules draw far less than half."""
_NAME: Final = "dram:model"


@dataclass(frozen=True, slots=True)
class _Memory:
    """The name of the memory that counts, its size in GB, and the monotonic time of its opening, in s."""

    name: str
    gigabytes: float
    opened_at: float


class DramModelSource(LiveSource[_Memory]):
    """Memory power modelled as a constant per GB of the job's memory, ±50 %.

    It is never added automatically. A modelled memory can outweigh the measured devices, and it is wrong if the job's
    part of a machine is not known. It refuses to open if a RAPL counter measures the memory, because that would count
    twice. Do not use it with a GPU that is metered with its whole module, as on Grace Hopper.

    Args:
        gigabytes: Memory of the job, in GB (2³⁰ bytes). Defaults to the limit of the job's control group or of Slurm,
            or to the whole memory if the job has the whole machine. The name of the device tells the group or the job.
        watts_per_gigabyte: Power in W/GB. Defaults to 0.392 (Cloud Carbon Footprint, from Crucial and Micron).
        powercap: Power capping tree of Linux, which shows counters of memory. Defaults to ``/sys/class/powercap``.
        clock: The clock. Defaults to the machine's.

    Raises:
        ConfigurationError: An amount or a power is impossible.

    Example:
        >>> from green_callbacks.clock import ScriptedClock
        >>> clock = ScriptedClock()
        >>> source = DramModelSource(64, powercap="/no/powercap", clock=clock)
        >>> source.open()
        >>> clock.advance(10.0)
        >>> round(source.read()["dram:model"].joules, 1)
        250.9
    """

    def __init__(
        self,
        gigabytes: float | None = None,
        *,
        watts_per_gigabyte: float = _WATTS_PER_GIGABYTE,
        powercap: str | os.PathLike[str] = POWERCAP,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        self._gigabytes = None if gigabytes is None else checked_at_least_zero(gigabytes, "gigabytes")
        self._watts_per_gigabyte = checked_at_least_zero(watts_per_gigabyte, "watts_per_gigabyte")
        self._powercap = checked_path(powercap, "powercap")
        self._clock = clock

    is_instant = True

    def _begin(self) -> _Memory:
        if any(zone.component == "dram" and zone.refusal() is None for zone in find_zones(self._powercap)):
            msg = f"A counter in {self._powercap} measures the memory. Use PowercapSource in place of a model."
            raise SourceUnavailableError(msg)
        given = self._gigabytes
        gigabytes = self._found_gigabytes() if given is None else given
        name = memory_name(_NAME, gigabytes) if given is None else _NAME
        logger.info("Memory is modelled as %.3g GB at %.3g W/GB.", gigabytes, self._watts_per_gigabyte)
        return _Memory(name, gigabytes, self._clock.monotonic())

    @staticmethod
    def _found_gigabytes() -> float:
        try:
            found = job_gigabytes()
        except system_errors() as error:
            msg = f"The operating system does not report the size of the memory ({error}). Pass gigabytes=…."
            raise SourceUnavailableError(msg) from error
        if found is None:
            msg = "Others use this machine, too, and this job's part of its memory is not known. Pass gigabytes=…."
            raise SourceUnavailableError(msg)
        return found

    def read(self) -> Mapping[str, Reading]:
        """Return the modelled power times the time since the source opened.

        Returns:
            The one device. Empty while the source is closed.
        """
        memory = self._live
        if memory is None:
            return {}
        joules = self._watts_per_gigabyte * memory.gigabytes * (self._clock.monotonic() - memory.opened_at)
        return {memory.name: Reading(joules=joules, component="dram", method="modelled", tolerance=_DRAM_TOLERANCE)}

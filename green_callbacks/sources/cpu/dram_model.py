"""Memory by a model of its power, for those who ask for it."""

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
from green_callbacks.sources.job.allotment import job_gigabytes
from green_callbacks.sources.job.operating_system import system_errors
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_WATTS_PER_GIGABYTE: Final = 0.392
"""Cloud Carbon Footprint's methodology: the mean of Crucial's rule of thumb (3 W for 8 GB of DDR3 or DDR4) and of
Micron's power model (TN-40-07: 0.4083 W per GB of DDR4)."""
_TOLERANCE: Final = 0.5
"""A convention: makers' rules differ by a tenth, but none knows the load, and idle modules draw far less than half."""
_NAME: Final = "dram:model"


@dataclass(frozen=True, slots=True)
class _Memory:
    """How much memory counts, and since when."""

    gigabytes: float
    opened_at: float


class DramModelSource(LiveSource[_Memory]):
    """Memory power modelled as a constant per GB of the job's, whatever it does; ±50 %.

    It is never added by itself: a modelled memory can outweigh what is measured, and it is wrong where the job's part
    of a machine is not known. It refuses to open where the memory is measured by a RAPL counter, lest it count twice;
    leave it out, too, where a GPU is metered with its whole module, as on Grace Hopper.

    Args:
        gigabytes: Memory of the job, in GB (2³⁰ bytes, as it is sold). Unless given it is the limit of the job's
            control group or of Slurm, else all that the machine has, if the whole machine is the job's.
        watts_per_gigabyte: Power in W/GB; 0.392 unless given (Cloud Carbon Footprint, from Crucial and Micron).
        powercap: Linux' power capping tree, in which a counter of the memory would be.
        clock: The time.

    Raises:
        ConfigurationError: An amount or a power that cannot be.
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
            msg = f"The memory is measured here, by a counter in {self._powercap}: use PowercapSource for it, no model."
            raise SourceUnavailableError(msg)
        gigabytes = self._found_gigabytes() if self._gigabytes is None else self._gigabytes
        logger.info("Memory is modelled: %.3g GB at %.3g W/GB.", gigabytes, self._watts_per_gigabyte)
        return _Memory(gigabytes, self._clock.monotonic())

    @staticmethod
    def _found_gigabytes() -> float:
        try:
            found = job_gigabytes()
        except system_errors() as error:
            msg = f"The operating system does not tell how much memory there is ({error}): use gigabytes=…."
            raise SourceUnavailableError(msg) from error
        if found is None:
            msg = "Others use this machine too, and nothing says how much of its memory is this job's: use gigabytes=…."
            raise SourceUnavailableError(msg)
        return found

    def read(self) -> Mapping[str, Reading]:
        """Return the modelled power times the time since the opening.

        Returns:
            The one device; nothing while the source is closed.
        """
        memory = self._live
        if memory is None:
            return {}
        joules = self._watts_per_gigabyte * memory.gigabytes * (self._clock.monotonic() - memory.opened_at)
        return {_NAME: Reading(joules=joules, component="dram", method="modelled", tolerance=_TOLERANCE)}

"""Opens the sources that can measure something on this machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from green_callbacks.call_threads import Threads
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.records import Reading
from green_callbacks.sources.amd.source import AmdSmiSource, has_amd_gpu
from green_callbacks.sources.apple import AppleSiliconSource
from green_callbacks.sources.base import EnergySource
from green_callbacks.sources.common.opening import Opener
from green_callbacks.sources.cpu.model import CpuModelSource
from green_callbacks.sources.cpu.powercap import PowercapSource
from green_callbacks.sources.intel_gpu import IntelGpuSource
from green_callbacks.sources.nvidia.source import NvmlSource
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Discovery:
    """The result of a survey.

    Attributes:
        sources: Open sources.
        refusals: Reason for each source that could not be opened.
    """

    sources: Sequence[EnergySource] = ()
    refusals: Mapping[EnergySource, str] = field(default_factory=dict)


def discover(*, gpu_uuids: Sequence[str] | None = None, cpu_tdp_watts: float | None = None) -> list[EnergySource]:
    """Open every source that works here.

    These are GPUs of any maker, and the processors by a counter or else by a model. On a Mac with Apple Silicon, macOS
    reports both, if its library is installed. Memory counts if a counter measures it, and is never modelled unasked
    (see :class:`DramModelSource`). A source that does not open within 20 s is left out.

    Args:
        gpu_uuids: UUIDs of the GPUs of NVIDIA and AMD that count. Then Intel's do not count. Defaults to the GPUs that
            ``CUDA_VISIBLE_DEVICES`` and the like leave, and all of Intel's.
        cpu_tdp_watts: Design power of all processors together, in W, for the model. Defaults to a table of models.

    Returns:
        Open sources. Empty if nothing can even be modelled.

    Raises:
        ConfigurationError: The design power is negative or not finite.

    Example:
        >>> sources = discover(gpu_uuids=[])
        >>> all(isinstance(source, EnergySource) for source in sources)
        True
        >>> for source in sources:
        ...     source.close()
    """
    return list(survey(gpu_uuids=gpu_uuids, cpu_tdp_watts=cpu_tdp_watts).sources)


def survey(*, gpu_uuids: Sequence[str] | None = None, cpu_tdp_watts: float | None = None) -> Discovery:
    """Open the sources as :func:`discover` does, and keep the reasons for the others.

    Args:
        gpu_uuids: As for :func:`discover`.
        cpu_tdp_watts: As for :func:`discover`.

    Raises:
        ConfigurationError: The design power is negative or not finite.
    """
    model = CpuModelSource(tdp_watts=cpu_tdp_watts)
    finder = _Finder()
    try:
        finder.try_to_open(NvmlSource(uuids=gpu_uuids))
        if (gpu_uuids is None or gpu_uuids) and has_amd_gpu():
            finder.try_to_open(AmdSmiSource(uuids=gpu_uuids))
        if gpu_uuids is None:
            finder.try_to_open(IntelGpuSource())
        has_chip = finder.try_to_open(AppleSiliconSource()) is None
        if not has_chip and not finder.holds_processors:
            _find_processors(finder, model)
    finally:
        finder.close()
    return Discovery(list(finder.readings), finder.refusals)


def _find_processors(finder: "_Finder", model: CpuModelSource) -> None:
    refusal = finder.try_to_open(PowercapSource())
    if refusal is None:
        return
    if isinstance(refusal.__cause__, PermissionError):
        logger.warning("%s Until then the energy of the processors is modelled.", refusal)
    unmodelled = finder.try_to_open(model)
    if unmodelled is None:
        logger.info("The processors are modelled with these assumptions: %s.", model.assumptions())
    else:
        logger.warning("The energy of the processors is missing. %s", unmodelled)


class _Finder:
    """Opens sources and reads each of them once, on a thread that is left behind with a driver that hangs.

    Attributes:
        readings: First readings of every open source.
        refusals: Reason for each source that could not be opened.
    """

    def __init__(self) -> None:
        self.readings: dict[EnergySource, Mapping[str, Reading]] = {}
        self.refusals: dict[EnergySource, str] = {}
        self._opener = Opener(Threads())

    @property
    def holds_processors(self) -> bool:
        """Whether a GPU is metered with its CPU, as on Grace Hopper and MI300A. The CPU would count twice."""
        return any("module" in each.flags for readings in self.readings.values() for each in readings.values())

    def try_to_open(self, source: EnergySource) -> SourceUnavailableError | None:
        """Open a source, and return the refusal if it cannot be opened.

        Args:
            source: The source.
        """
        first: list[Mapping[str, Reading]] = []
        try:
            self._opener.open(source, lambda opened: first.append(opened.read()))
        except SourceUnavailableError as refusal:
            logger.info("%s is not used: %s", type(source).__name__, refusal)
            self.refusals[source] = str(refusal)
            return refusal
        self.readings[source] = first[0]
        logger.info("%s measures %s.", type(source).__name__, ", ".join(first[0]))
        return None

    def close(self) -> None:
        """End the thread."""
        self._opener.close()

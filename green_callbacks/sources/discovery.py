"""What this machine can measure."""

from collections.abc import Iterable, Sequence

from green_callbacks.errors import SourceUnavailableError
from green_callbacks.sources.amd import AmdSmiSource, has_amd_gpu
from green_callbacks.sources.apple import AppleSiliconSource
from green_callbacks.sources.base import EnergySource
from green_callbacks.sources.cpu_model import CpuModelSource
from green_callbacks.sources.intel_gpu import IntelGpuSource
from green_callbacks.sources.nvml import NvmlSource
from green_callbacks.sources.powercap import PowercapSource
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)


def discover(*, gpu_uuids: Sequence[str] | None = None, cpu_tdp_watts: float | None = None) -> list[EnergySource]:
    """Open every source that works here: GPUs of any maker, and the processors by counter or else by model.

    On a Mac with Apple Silicon what macOS tells of the chip comes in the place of both, if its library is installed.
    Memory counts where a counter measures it, and is never modelled unasked (see :class:`DramModelSource`).

    Args:
        gpu_uuids: The GPUs of NVIDIA and AMD that count, by UUID, and no others; unless given, those that
            ``CUDA_VISIBLE_DEVICES`` and the like leave, and all of Intel's.
        cpu_tdp_watts: Design power of all processors together, in W, for the model; a table's unless given.

    Returns:
        Open sources; empty where nothing can even be modelled.

    Raises:
        ConfigurationError: The design power is negative or not finite.
    """
    model = CpuModelSource(tdp_watts=cpu_tdp_watts)
    sources: list[EnergySource] = []
    _try(NvmlSource(uuids=gpu_uuids), sources)
    if (gpu_uuids is None or gpu_uuids) and has_amd_gpu():
        _try(AmdSmiSource(uuids=gpu_uuids), sources)
    if gpu_uuids is None:
        _try(IntelGpuSource(), sources)
    has_chip = _try(AppleSiliconSource(), sources) is None
    if not has_chip and not _hold_processors(sources):
        refusal = _try(PowercapSource(), sources)
        if refusal is not None:
            if isinstance(refusal.__cause__, PermissionError):
                logger.warning("%s Until then the energy of the processors is modelled.", refusal)
            unmodelled = _try(model, sources)
            if unmodelled is None:
                logger.info("The processors are modelled: %s.", model.assumptions())
            else:
                logger.warning("The energy of the processors is missing. %s", unmodelled)
    for source in sources:
        logger.info("%s measures %s.", type(source).__name__, ", ".join(source.read()))
    return sources


def _hold_processors(sources: Iterable[EnergySource]) -> bool:
    """Return whether a GPU is metered with its CPU, as on Grace Hopper and MI300A: that would count twice."""
    return any("module" in reading.flags for source in sources for reading in source.read().values())


def _try(source: EnergySource, opened: list[EnergySource]) -> SourceUnavailableError | None:
    try:
        source.open()
    except SourceUnavailableError as refusal:
        logger.info("%s is not used: %s", type(source).__name__, refusal)
        return refusal
    opened.append(source)
    return None

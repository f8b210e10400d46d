"""Why the energy of an accelerator is not measured, and what would change that."""

from collections.abc import Iterator, Mapping
from typing import Final

from green_callbacks.records import Reading
from green_callbacks.records.coverage import in_words
from green_callbacks.sources.accelerators.in_use import Accelerator
from green_callbacks.sources.amd.source import AmdSmiSource
from green_callbacks.sources.apple import AppleSiliconSource
from green_callbacks.sources.base import EnergySource
from green_callbacks.sources.callable import CallableSource
from green_callbacks.sources.intel_gpu import IntelGpuSource
from green_callbacks.sources.nvidia.source import NvmlSource

_SOURCES: Final[Mapping[str, tuple[type[EnergySource], ...]]] = {
    "cuda": (NvmlSource,),
    "gpu": (NvmlSource, AmdSmiSource, IntelGpuSource, AppleSiliconSource),
    "rocm": (AmdSmiSource,),
    "xpu": (IntelGpuSource,),
    "mps": (AppleSiliconSource,),
    "metal": (AppleSiliconSource,),
}
"""The sources that may measure it, by what a framework calls it."""
_OURS: Final = EnergySource.__module__.rpartition(".")[0]


def why_unmeasured(each: Accelerator, readings: Mapping[str, Reading], refusals: Mapping[EnergySource, str]) -> str:
    """Say that an accelerator is not measured, why, what to do, and what is left.

    Args:
        each: The accelerator.
        readings: What the sources tell.
        refusals: Why sources could not be opened.

    Returns:
        Sentences.
    """
    counted = in_words(reading.component for reading in readings.values() if reading.joules is not None)
    relevant = (reason for source, reason in refusals.items() if _may_measure(source, each))
    reasons = dict.fromkeys((*_mute(each, readings), *relevant))
    return (
        f"This process uses a {each.noun} ({each.kind}) whose energy is not measured. "
        f"{' '.join(reasons) or _advice(each)} "
        f"Until then energy, emissions, budgets and prices count {counted}{'' if counted == 'nothing' else ' only'}."
    )


def _may_measure(source: EnergySource, each: Accelerator) -> bool:
    """Tell whether a source is one for such an accelerator, or the user's own: that may be for anything."""
    is_ours = type(source).__module__.startswith(f"{_OURS}.") and not isinstance(source, CallableSource)
    return isinstance(source, _SOURCES.get(each.kind, ())) or not is_ours


def _mute(each: Accelerator, readings: Mapping[str, Reading]) -> Iterator[str]:
    for name, reading in readings.items():
        if reading.component == each.component and reading.joules is None:
            yield f"{name} tells no energy ({reading.reason or 'without a reason'})."


def _advice(each: Accelerator) -> str:
    if each.kind in _SOURCES:
        source = _SOURCES[each.kind][0].__name__
        return f"None of the sources measures it: add {source}() to sources=, which says why if it cannot."
    return (
        f"Nothing here reads the energy of a {each.noun}: pass a meter of your own, "
        f"sources=[CallableSource(read_watts, component='{each.component}')]."
    )

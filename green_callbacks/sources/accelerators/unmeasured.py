"""The reasons why the energy of an accelerator is not measured, with remedies."""

from collections.abc import Iterator, Mapping
from typing import Final

from green_callbacks.records import Reading
from green_callbacks.records.coverage import in_words
from green_callbacks.sources.accelerators.in_use import Accelerator
from green_callbacks.sources.amd.source import AmdSmiSource
from green_callbacks.sources.apple import AppleSiliconSource
from green_callbacks.sources.base import EnergySource
from green_callbacks.sources.declared.callable import CallableSource
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
"""Sources that may measure an accelerator, by the framework's name of it."""
_OURS: Final = EnergySource.__module__.rpartition(".")[0]


def why_unmeasured(each: Accelerator, readings: Mapping[str, Reading], refusals: Mapping[EnergySource, str]) -> str:
    """Return a message that an accelerator is not measured, with the reason, the remedy, and the measured components.

    Args:
        each: The accelerator.
        readings: Readings of the sources.
        refusals: Reason for each source that could not be opened.
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
    """Return whether a source may measure such an accelerator. A source of the user's own may measure anything."""
    is_ours = type(source).__module__.startswith(f"{_OURS}.") and not isinstance(source, CallableSource)
    return isinstance(source, _SOURCES.get(each.kind, ())) or not is_ours


def _mute(each: Accelerator, readings: Mapping[str, Reading]) -> Iterator[str]:
    for name, reading in readings.items():
        if reading.component == each.component and reading.joules is None:
            yield f"{name} reports no energy ({reading.reason or 'without a reason'})."


def _advice(each: Accelerator) -> str:
    if each.kind in _SOURCES:
        source = _SOURCES[each.kind][0].__name__
        return f"None of the sources measures it. Add {source}() to sources=. It gives a reason if it cannot measure."
    return (
        f"Nothing here reads the energy of a {each.noun}. Pass a meter of your own, "
        f"sources=[CallableSource(read_watts, component='{each.component}')]."
    )

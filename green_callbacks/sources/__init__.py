"""Where joules come from. Each file or folder reads one kind of sensor."""

from green_callbacks.sources.amd.source import AmdSmiSource
from green_callbacks.sources.apple import AppleSiliconSource
from green_callbacks.sources.base import EnergySource
from green_callbacks.sources.cpu.dram_model import DramModelSource
from green_callbacks.sources.cpu.model import CpuAssumptions, CpuModelSource
from green_callbacks.sources.cpu.powercap import PowercapSource
from green_callbacks.sources.declared.callable import CallableSource
from green_callbacks.sources.declared.platform import PlatformSource
from green_callbacks.sources.declared.scripted import PowerSteps, ScriptedSource
from green_callbacks.sources.discovery import discover
from green_callbacks.sources.intel_gpu import IntelGpuSource
from green_callbacks.sources.nvidia.source import NvmlSource

__all__ = [
    "AmdSmiSource",
    "AppleSiliconSource",
    "CallableSource",
    "CpuAssumptions",
    "CpuModelSource",
    "DramModelSource",
    "EnergySource",
    "IntelGpuSource",
    "NvmlSource",
    "PlatformSource",
    "PowerSteps",
    "PowercapSource",
    "ScriptedSource",
    "discover",
]

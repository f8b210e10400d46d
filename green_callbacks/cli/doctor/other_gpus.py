"""The GPUs of other makers than NVIDIA, and the chips of Macs."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from green_callbacks.cli.doctor.finding import COMMAND, Finding, State
from green_callbacks.cli.doctor.gpus import PCI_DEVICES, graphics
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.records import Reading
from green_callbacks.sources import AmdSmiSource, AppleSiliconSource, EnergySource, IntelGpuSource
from green_callbacks.sources.amd.source import SIGNS, has_amd_gpu
from green_callbacks.sources.apple import is_apple_silicon
from green_callbacks.sources.intel_gpu import DRM

_AMD, _INTEL, _APPLE = "AMD GPU", "Intel GPU", "Apple Silicon"
_INTEL_VENDOR: Final = "0x8086"
_IN_PROCESSOR: Final = "0000:00:02.0"
"""PCI address of the graphics inside Intel's processors."""

_HOW: Final = {
    "counter": "is measured by its energy counter.",
    "sampled": "has no reliable energy counter. Its power is sampled and integrated.",
    "modelled": "is estimated by macOS.",
}
_CAUTIONS: Final = {
    "module": "Its meter includes the processor, which does not count a second time.",
    "whole_package": "Its meter measures a whole package, of which this process uses only a part. The whole counts.",
    "shared": "Other processes use it too, and its energy includes theirs.",
    "index_in_doubt": "ROCm may count the GPUs in another order than its library. Name it by UUID to be sure.",
}


def amd(signs: Sequence[Path] = SIGNS) -> list[Finding]:
    """Find the AMD GPUs that this process uses. Nothing if their driver is not loaded.

    Args:
        signs: Paths that exist if the driver is loaded.
    """
    return _examined(_AMD, AmdSmiSource()) if has_amd_gpu(signs) else []


def intel(root: Path = DRM, pci_devices: Path = PCI_DEVICES) -> list[Finding]:
    """Find Intel's graphics cards. Nothing if there are none.

    Args:
        root: Folder in which Linux lists the graphics devices.
        pci_devices: Folder in which Linux lists the devices of the PCI bus.
    """
    cards = [address for address in graphics(pci_devices, _INTEL_VENDOR) if address != _IN_PROCESSOR]
    findings = _examined(_INTEL, IntelGpuSource(root=root))
    is_there = cards or any(finding.state == "measured" or finding.command for finding in findings)
    return findings if is_there else []


def apple() -> list[Finding]:
    """Find the chip and its energy as macOS reports it. Nothing on other machines."""
    return _examined(_APPLE, AppleSiliconSource()) if is_apple_silicon() else []


def _examined(topic: str, source: EnergySource) -> list[Finding]:
    try:
        source.open()
        readings = source.read()
    except SourceUnavailableError as refusal:
        command = COMMAND.search(str(refusal))
        return [Finding(topic=topic, state="missing", text=str(refusal), command=command and command[1])]
    finally:
        source.close()
    return [_device(topic, name, reading) for name, reading in readings.items()]


def _device(topic: str, name: str, reading: Reading) -> Finding:
    state: State = "missing" if reading.reason else "modelled" if reading.method == "modelled" else "measured"
    what = name if name.endswith(":apple") else name.removeprefix("gpu:")
    how = f"does not answer ({reading.reason})." if reading.reason else _HOW[reading.method]
    details: Mapping[str, object] = {"name": name, "method": reading.method, "flags": list(reading.flags)}
    doubtful = "index_in_doubt" in reading.flags
    return Finding(
        topic=topic,
        state=state,
        text=" ".join([f"{what} {how}", *_cautions(reading)]),
        command=f"export ROCR_VISIBLE_DEVICES={what}" if doubtful else None,
        details=details,
    )


def _cautions(reading: Reading) -> Iterator[str]:
    return (text for flag, text in _CAUTIONS.items() if flag in reading.flags)

"""How the energy of GPUs that are not NVIDIA's is obtained, and that of the chips of Macs."""

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
"""Where Intel's processors have their graphics on the PCI bus."""

_HOW: Final = {
    "counter": "measured by its energy counter",
    "sampled": "it has no energy counter that can be trusted; its power is sampled and integrated",
    "modelled": "as macOS estimates it",
}
_CAUTIONS: Final = {
    "module": "Its meter holds its processor too, which does not count a second time.",
    "whole_package": "Its meter is that of a package of which this process uses only a part: the whole of it counts.",
    "shared": "Other processes use it too: their energy is in it.",
    "index_in_doubt": "ROCm may count the GPUs in another order than its library: name it by UUID to be sure.",
}


def amd(signs: Sequence[Path] = SIGNS) -> list[Finding]:
    """Find the AMD GPUs that this process uses; nothing where their driver is not loaded.

    Args:
        signs: What is there where the driver is.
    """
    return _examined(_AMD, AmdSmiSource()) if has_amd_gpu(signs) else []


def intel(root: Path = DRM, pci_devices: Path = PCI_DEVICES) -> list[Finding]:
    """Find Intel's graphics cards; nothing where there are none.

    Args:
        root: Where Linux lists the graphics devices.
        pci_devices: Where Linux lists the devices of the PCI bus.
    """
    cards = [address for address in graphics(pci_devices, _INTEL_VENDOR) if address != _IN_PROCESSOR]
    findings = _examined(_INTEL, IntelGpuSource(root=root))
    is_there = cards or any(finding.state == "measured" or finding.command for finding in findings)
    return findings if is_there else []


def apple() -> list[Finding]:
    """Find what macOS tells of the chip; nothing on other machines."""
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
    how = f"it does not answer ({reading.reason})" if reading.reason else _HOW[reading.method]
    details: Mapping[str, object] = {"name": name, "method": reading.method, "flags": list(reading.flags)}
    doubtful = "index_in_doubt" in reading.flags
    return Finding(
        topic=topic,
        state=state,
        text=" ".join([f"{what}: {how}.", *_cautions(reading)]),
        command=f"export ROCR_VISIBLE_DEVICES={what}" if doubtful else None,
        details=details,
    )


def _cautions(reading: Reading) -> Iterator[str]:
    return (text for flag, text in _CAUTIONS.items() if flag in reading.flags)

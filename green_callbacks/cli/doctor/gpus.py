"""What NVIDIA's driver tells of the GPUs here."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from green_callbacks.cli.doctor.finding import Finding, State
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.small_files import read_or_empty
from green_callbacks.sources.job.machine_kind import place_of
from green_callbacks.sources.nvidia.driver.calls import Driver, DriverError
from green_callbacks.sources.nvidia.driver.remedy import command, remedy
from green_callbacks.sources.nvidia.sensor import GpuSensor
from green_callbacks.sources.nvidia.visible_devices import Chosen, Found, choose, find_gpus

_TOPIC: Final = "NVIDIA GPU"
_ABSENT: Final = (None, 9, 12)
"""What the driver's library returns where there may be no GPU: nothing, no driver, no library."""
PCI_DEVICES: Final = Path("/sys/bus/pci/devices")
_NVIDIA: Final = "0x10de"
_DISPLAY: Final = "0x03"
"""Class of display controllers, those without a connector included (PCI Code and ID Assignment Specification)."""


def gpus(
    environ: Mapping[str, str] = os.environ, pci_devices: Path = PCI_DEVICES, root: Path = Path("/")
) -> list[Finding]:
    """Find the GPUs, how their energy is obtained, and which of them count.

    Args:
        environ: Environment variables.
        pci_devices: Where Linux lists the devices of the PCI bus.
        root: Root of the file system.

    Returns:
        One finding for each GPU, or one that says why there is none.
    """
    try:
        driver = Driver.open()
    except SourceUnavailableError as refusal:
        return [_without_driver(refusal, pci_devices, root)]
    try:
        found = find_gpus(driver)
        chosen = choose(found, None, environ)
        findings = [_used(driver, one) for one in chosen]
    except DriverError as error:
        text = f"The driver says '{error}'. {remedy(_code(error))}"
        return [Finding(topic=_TOPIC, state="missing", text=text, command="nvidia-smi")]
    finally:
        driver.close()
    return [*findings, *_unused(found, chosen, environ.get("CUDA_VISIBLE_DEVICES"))]


def _without_driver(refusal: SourceUnavailableError, pci_devices: Path, root: Path) -> Finding:
    is_on_bus, code = any(graphics(pci_devices, _NVIDIA)), _code(refusal.__cause__)
    is_there = is_on_bus or code not in _ABSENT or _has_marks(root)
    details = {"is_there": is_there}
    if isinstance(refusal.__cause__, ImportError):
        install = "pip install nvidia-ml-py"
        return Finding(topic=_TOPIC, state="missing", text=str(refusal), command=install, details=details)
    if not is_there:
        text = "None: no such device is on the PCI bus, and there is no driver for one."
        return Finding(topic=_TOPIC, state="missing", text=text, details=details)
    where = "There is one on the PCI bus." if is_on_bus else "There is one."
    return Finding(topic=_TOPIC, state="missing", text=f"{where} {refusal}", command=command(code), details=details)


def _has_marks(root: Path) -> bool:
    """Return whether there is a GPU that is not on the PCI bus, or hidden there: Jetson, WSL, containers."""
    place = place_of(root)
    marks = ("proc/driver/nvidia", "dev/nvidiactl", *(["dev/dxg"] if place == "wsl" else []))
    return place == "jetson" or any(os.path.exists(root / mark) for mark in marks)  # noqa: PTH110  raises nothing


def _code(error: BaseException | None) -> int | None:
    """Return what the driver's library returned; None if it returned nothing."""
    return getattr(getattr(error, "__cause__", None), "value", None)


def graphics(pci_devices: Path, vendor: str) -> Iterator[str]:
    """Yield the PCI addresses of a maker's graphics devices.

    Args:
        pci_devices: Where Linux lists the devices of the PCI bus.
        vendor: The maker's number, e.g. ``0x10de``.
    """
    try:
        devices = sorted(pci_devices.iterdir())
    except OSError:
        return
    for device in devices:
        if read_or_empty(device / "vendor") == vendor and read_or_empty(device / "class").startswith(_DISPLAY):
            yield device.name


def _used(driver: Driver, chosen: Chosen) -> Finding:
    gpu, mig = chosen.gpu, chosen.mig
    sensor = _sensor(driver, gpu)
    state: State = "missing" if sensor == "none" else "modelled" if mig else "measured"
    sentences = [f"{gpu.name} ({gpu.uuid}): {_SENSORS[sensor]}.", *_cautions(driver, chosen)]
    return Finding(
        topic=_TOPIC,
        state=state,
        text=" ".join(sentences),
        command="export CUDA_DEVICE_ORDER=PCI_BUS_ID" if "index_in_doubt" in chosen.flags else None,
        details={
            "uuid": mig.uuid if mig else gpu.uuid,
            "name": gpu.name,
            "sensor": sensor,
            "mig_devices": len(gpu.mig),
            "flags": list(chosen.flags),
        },
    )


def _cautions(driver: Driver, chosen: Chosen) -> Iterator[str]:
    """Say what a reader of the GPU's energy must know."""
    mig, mig_devices = chosen.mig, len(chosen.gpu.mig)
    if mig:
        yield (
            f"Of it {mig.uuid} counts, {mig.slices} of {mig.of_slices} slices: as large a share of the whole GPU's "
            "energy, which is modelled."
        )
    elif mig_devices:
        yield f"It is cut into MIG devices ({mig_devices}); the energy is that of the whole GPU."
    if "index_in_doubt" in chosen.flags:
        yield "The models differ here, so its index may mean another GPU to CUDA."
    others = _others(driver, chosen.gpu)
    if others:
        yield f"Other processes compute on it ({', '.join(map(str, others))}): their energy is in it, flagged shared."
        if not mig:
            yield _share(driver, chosen.gpu)


_SENSORS: Final = {
    "counter": "measured by its energy counter",
    "sampled": "it has no energy counter; its power is sampled and integrated",
    "none": "it tells neither energy nor power, as is usual of virtual GPUs; ask whoever runs the host",
}


def _sensor(driver: Driver, gpu: Found) -> str:
    sensor = GpuSensor(driver, gpu.uuid, gpu.name, gpu.handle)
    for name, read in (("counter", sensor.energy_joules), ("sampled", sensor.present_watts)):
        try:
            read()
        except DriverError:
            continue
        return name
    return "none"


def _others(driver: Driver, gpu: Found) -> list[int]:
    try:
        return sorted(set(driver.process_ids(gpu.handle)) - {os.getpid()})
    except DriverError:
        return []


def _share(driver: Driver, gpu: Found) -> str:
    """Say how to count the job's part of a GPU, or why that cannot be done."""
    try:
        driver.process_samples(gpu.handle, 0)
    except DriverError as error:
        return f"Which of them uses how much of it, the driver does not tell ({error}), so nothing can be taken off."
    return (
        'NvmlSource(share="sm_utilization") counts the job\'s part, by a model; in a container that takes the ids of '
        "the host's processes (--pid=host)."
    )


def _unused(found: list[Found], chosen: list[Chosen], visible: str | None) -> list[Finding]:
    if not found:
        text = "The driver is there, but sees none."
        return [Finding(topic=_TOPIC, state="missing", text=text, command="nvidia-smi")]
    used = {one.gpu.uuid for one in chosen}
    return [
        Finding(
            topic=_TOPIC,
            state="known",
            text=f"{gpu.name} ({gpu.uuid}) does not count: CUDA_VISIBLE_DEVICES={visible!r} leaves it out.",
            command=None if chosen else "unset CUDA_VISIBLE_DEVICES",
            details={"uuid": gpu.uuid, "name": gpu.name, "sensor": "unused"},
        )
        for gpu in found
        if gpu.uuid not in used
    ]

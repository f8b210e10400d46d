"""The GPUs as NVIDIA's driver reports them."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from green_callbacks.cli.doctor.finding import Finding, State
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.small_files import read_or_empty
from green_callbacks.sources.job.machine_kind import place_of
from green_callbacks.sources.nvidia.driver.activity_calls import ActivityDriver
from green_callbacks.sources.nvidia.driver.calls import Driver, DriverError
from green_callbacks.sources.nvidia.driver.remedy import command, remedy
from green_callbacks.sources.nvidia.sensor import GpuSensor
from green_callbacks.sources.nvidia.usage.clock_reasons import ClockReasons
from green_callbacks.sources.nvidia.visible_devices import Chosen, Found, choose, find_gpus

_TOPIC: Final = "NVIDIA GPU"
_ABSENT: Final = (None, 9, 12)
"""Return codes of the driver's library where there may be no GPU. 9 means no driver, and 12 no library."""
PCI_DEVICES: Final = Path("/sys/bus/pci/devices")
"""Folder in which Linux lists the devices of the PCI bus."""

_NVIDIA: Final = "0x10de"
"""NVIDIA's number on the PCI bus."""
_DISPLAY: Final = "0x03"
"""Class of display controllers, also without a connector (PCI Code and ID Assignment Specification)."""


def gpus(
    environ: Mapping[str, str] = os.environ, pci_devices: Path = PCI_DEVICES, root: Path = Path("/")
) -> list[Finding]:
    """Find the GPUs, the method of measuring each, and the GPUs that this process uses.

    Args:
        environ: Environment variables. Defaults to ``os.environ``.
        pci_devices: Folder in which Linux lists the devices of the PCI bus.
        root: Root of the file system. Defaults to ``/``.

    Returns:
        One finding for each GPU, or one finding that tells why there is none.
    """
    try:
        driver = Driver.open()
    except SourceUnavailableError as refusal:
        return [_without_driver(refusal, pci_devices, root)]
    try:
        found = find_gpus(driver)
        chosen = choose(found, None, environ)
        findings = [finding for one in chosen for finding in (_used(driver, one), *_lowered(driver, one))]
    except DriverError as error:
        text = f"The driver reports '{error}'. {remedy(_code(error))}"
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
        text = "None. The PCI bus has no such device, and there is no driver for one."
        return Finding(topic=_TOPIC, state="missing", text=text, details=details)
    where = "There is one on the PCI bus." if is_on_bus else "There is one."
    return Finding(topic=_TOPIC, state="missing", text=f"{where} {refusal}", command=command(code), details=details)


def _has_marks(root: Path) -> bool:
    """Return whether there is a GPU that the PCI bus does not show, as on Jetson, in WSL and in containers."""
    place = place_of(root)
    marks = ("proc/driver/nvidia", "dev/nvidiactl", *(["dev/dxg"] if place == "wsl" else []))
    return place == "jetson" or any(os.path.exists(root / mark) for mark in marks)  # noqa: PTH110  raises nothing


def _code(error: BaseException | None) -> int | None:
    """Return the return code of the driver's library. None without a return code."""
    return getattr(getattr(error, "__cause__", None), "value", None)


def graphics(pci_devices: Path, vendor: str) -> Iterator[str]:
    """Yield the PCI addresses of a maker's graphics devices.

    Args:
        pci_devices: Folder in which Linux lists the devices of the PCI bus.
        vendor: The maker's number, such as ``0x10de``.
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
    sentences = [f"{gpu.name} ({gpu.uuid}) {_SENSORS[sensor]}", *_cautions(driver, chosen)]
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
    """Yield cautions about the GPU's energy."""
    mig, mig_devices = chosen.mig, len(chosen.gpu.mig)
    if mig:
        yield (
            f"This process uses {mig.uuid}, {mig.slices} of {mig.of_slices} slices. So the same share of the whole "
            "GPU's energy counts, which is modelled."
        )
    elif mig_devices:
        yield f"It is divided into MIG devices ({mig_devices}). The energy of the whole GPU counts."
    if "index_in_doubt" in chosen.flags:
        yield "The models differ here, so CUDA may use its index for another GPU."
    others = _others(driver, chosen.gpu)
    if others:
        yield f"Other processes use it ({', '.join(map(str, others))}). Its energy includes theirs, flagged shared."
        if not mig:
            yield _share(driver, chosen.gpu)


def _lowered(driver: Driver, chosen: Chosen) -> Iterator[Finding]:
    """Yield what makes the GPU slower than it could be now. A GPU at its default limit is as fast as it should be."""
    gpu, asked = chosen.gpu, ActivityDriver(driver)
    bits = _answer(lambda: asked.clock_reasons(gpu.handle))
    reasons = ClockReasons.of(int(bits or 0))
    name, details = f"{gpu.name} ({gpu.uuid})", {"uuid": gpu.uuid, **reasons._asdict()}
    if reasons.thermal:
        text = f"{name} lowers its clocks now, because it is too hot. Training takes longer. Look at its cooling."
        yield Finding(topic=_TOPIC, state="attention", text=text, details=details)
    if reasons.hardware:
        text = f"A brake of the hardware slows {name} down now. Training takes longer. Look at its power supply."
        yield Finding(topic=_TOPIC, state="attention", text=text, details=details)
    limit_watts = _answer(lambda: driver.limit_watts(gpu.handle))
    default_watts = _answer(lambda: driver.default_limit_watts(gpu.handle))
    if limit_watts is not None and default_watts is not None and limit_watts < default_watts:
        now = " It runs at this limit now." if reasons.power_cap else ""
        text = (
            f"The power limit of {name} is {limit_watts:.0f} W, below its default of {default_watts:.0f} W. Training "
            f"may take longer, and may need less energy.{now}"
        )
        command = f"sudo nvidia-smi -i {gpu.uuid} -pl {default_watts:.0f}"
        limits = {"limit_watts": limit_watts, "default_limit_watts": default_watts}
        yield Finding(topic=_TOPIC, state="known", text=text, command=command, details={**details, **limits})


def _answer(ask: Callable[[], float]) -> float | None:
    try:
        return ask()
    except DriverError:
        return None


_SENSORS: Final = {
    "counter": "is measured by its energy counter.",
    "sampled": "has no energy counter. Its power is sampled and integrated.",
    "none": "reports neither energy nor power, like most virtual GPUs. Ask the administrator of the host.",
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
    """Tell how to count only the job's part of a GPU, or why that is not possible."""
    try:
        driver.process_samples(gpu.handle, 0)
    except DriverError as error:
        return f"The driver does not report the use of each process ({error}), so their energy cannot be subtracted."
    return (
        'NvmlSource(share="sm_utilization") models the job\'s part. In a container, this needs the process ids of the '
        "host (--pid=host)."
    )


def _unused(found: list[Found], chosen: list[Chosen], visible: str | None) -> list[Finding]:
    if not found:
        text = "The driver is installed, but finds no GPU."
        return [Finding(topic=_TOPIC, state="missing", text=text, command="nvidia-smi")]
    used = {one.gpu.uuid for one in chosen}
    return [
        Finding(
            topic=_TOPIC,
            state="known",
            text=f"{gpu.name} ({gpu.uuid}) does not count, because CUDA_VISIBLE_DEVICES={visible!r} leaves it out.",
            command=None if chosen else "unset CUDA_VISIBLE_DEVICES",
            details={"uuid": gpu.uuid, "name": gpu.name, "sensor": "unused"},
        )
        for gpu in found
        if gpu.uuid not in used
    ]

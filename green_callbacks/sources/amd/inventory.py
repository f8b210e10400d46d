"""The AMD GPUs of a machine: what they are called, how they are counted, and which of them holds whose meter."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from green_callbacks.sources.amd.driver import AmdDriver, AmdDriverError, Handle

UNIQUE_ID: Final = re.compile(r"[0-9a-f]{16}")
"""The number of a GPU, as its UUID has it."""
_TWO_DIES: Final = re.compile(r"\bMI250", re.IGNORECASE)
_TWO_DIES_IDS: Final = ("0x7408", "0x740c")
"""PCI device ids of MI250X and MI250, whose product name is not always told."""
_WITH_PROCESSOR: Final = re.compile(r"\bMI300A\b")
_FIRST_OF_PROCESSORS: Final = 2
"""From this format on the metrics are those of a processor with graphics (kernel, ``kgd_pp_interface.h``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmdGpu:
    """A GPU as a framework sees it: a card, one die of two on it, or a partition.

    Attributes:
        uuid: Its UUID as ``ROCR_VISIBLE_DEVICES`` has it, ``GPU-`` and 16 digits; the library's, or its PCI address,
            where it has none.
        address: PCI address.
        name: Product name.
        handle: What the library calls it.
        ordinal: Its place among the GPUs as the runtimes count them; None if that is not told.
        metered_by: UUID of the GPU whose sensors hold its energy; its own for most.
        in_processor: Whether it is the graphics of a processor, whose sensors are those of the whole processor.
        flags: What a reader of its energy must know.
    """

    uuid: str
    address: str = ""
    name: str = ""
    handle: Handle = None
    ordinal: int | None = None
    metered_by: str = ""
    in_processor: bool = False
    flags: tuple[str, ...] = ()


def find_gpus(driver: AmdDriver) -> list[AmdGpu]:
    """Return all GPUs that answer, as the runtimes count them.

    Args:
        driver: The driver.

    Raises:
        AmdDriverError: They cannot even be counted.
    """
    found: list[AmdGpu] = []
    for handle in driver.handles():
        try:
            found.append(_described(driver, handle, found))
        except AmdDriverError:
            continue
    if any(gpu.ordinal is None for gpu in found):
        return found
    return sorted(found, key=lambda gpu: gpu.ordinal or 0)


def _described(driver: AmdDriver, handle: Handle, before: Sequence[AmdGpu]) -> AmdGpu:
    asic, kfd, order = (driver.details(name, handle) for name in ("asic_info", "kfd_info", "enumeration_info"))
    address, name = driver.address(handle), str(asic.get("market_name", ""))
    gpu = AmdGpu(
        uuid=_unique_id(order.get("hip_uuid")) or _unique_id(asic.get("asic_serial")) or _own_uuid(driver, handle),
        address=address,
        name=name,
        handle=handle,
        ordinal=next((each for each in (order.get("hip_id"), kfd.get("node_id")) if isinstance(each, int)), None),
        in_processor=_is_in_processor(driver.details("metrics_info", handle)),
        flags=("module",) if _WITH_PROCESSOR.search(name) else (),
    )
    if any(gpu.uuid == other.uuid for other in before):  # partitions may share the number of their GPU
        gpu = replace(gpu, uuid=f"{gpu.uuid}@{address}")
    partition = kfd.get("current_partition_id")
    is_partition = isinstance(partition, int) and partition > 0
    has_two_dies = asic.get("device_id") in _TWO_DIES_IDS or _TWO_DIES.search(name) is not None
    is_part = is_partition or (has_two_dies and _is_mute(driver, gpu))
    return replace(gpu, metered_by=_first_of_package(gpu, before).uuid if is_part else gpu.uuid)


def _first_of_package(gpu: AmdGpu, before: Sequence[AmdGpu]) -> AmdGpu:
    """Return the GPU whose sensors hold the energy of this one.

    The first die of an MI250 shows the power of both, the second shows nothing (aldebaran_ppt.c in the kernel); the
    first partition of a GPU that is cut into several shows that of all.
    """
    firsts = [other for other in before if other.metered_by == other.uuid and other.name == gpu.name]
    return firsts[-1] if firsts else gpu


def _is_mute(driver: AmdDriver, gpu: AmdGpu) -> bool:
    """Return whether all sensors of a GPU that there are show nothing."""
    values = []
    for read in (driver.energy_joules, driver.power_watts):
        try:
            values.append(read(gpu.handle))
        except AmdDriverError:
            continue
    return not any(values)


def _is_in_processor(metrics: Mapping[str, Any]) -> bool:
    revision = metrics.get("common_header.format_revision")
    return isinstance(revision, int) and revision >= _FIRST_OF_PROCESSORS


def _unique_id(text: object) -> str | None:
    """Return a UUID from its number, written ``0x…`` or ``GPU-…``; None if it is none."""
    digits = str(text).lower().removeprefix("gpu-").removeprefix("0x")
    return f"GPU-{digits}" if UNIQUE_ID.fullmatch(digits) and int(digits, 16) not in (0, 2**64 - 1) else None


def _own_uuid(driver: AmdDriver, handle: Handle) -> str:
    try:
        return f"GPU-{driver.uuid(handle)}"
    except AmdDriverError:
        return driver.address(handle)

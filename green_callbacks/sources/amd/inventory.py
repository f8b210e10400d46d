"""The AMD GPUs of a machine, with their names, their order, and their meters."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from green_callbacks.sources.amd.driver import AmdDriver, AmdDriverError, AmdHandle

UNIQUE_ID: Final = re.compile(r"[0-9a-f]{16}")
"""The number in the UUID of a GPU."""
_TWO_DIES: Final = re.compile(r"\bMI250", re.IGNORECASE)
_TWO_DIES_IDS: Final = ("0x7408", "0x740c")
"""PCI device ids of MI250X and MI250, whose product name is not always reported."""
_WITH_PROCESSOR: Final = re.compile(r"\bMI300A\b")
_FIRST_OF_PROCESSORS: Final = 2
"""First format of metrics for a processor with graphics (kernel, ``kgd_pp_interface.h``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmdGpu:
    """A GPU as a framework sees it, which is a card, one die of two on it, or a partition.

    Attributes:
        uuid: Its UUID as in ``ROCR_VISIBLE_DEVICES``, ``GPU-`` and 16 digits. Without one, it is the library's UUID or
            the PCI address.
        address: PCI address.
        name: Product name.
        handle: The library's handle.
        ordinal: Its number among the GPUs as the runtimes count them. None if it is not reported.
        metered_by: UUID of the GPU whose sensors include its energy, for most GPUs its own.
        in_processor: Whether it is the graphics of a processor, whose sensors cover the whole processor.
        flags: Flags for its readings.
    """

    uuid: str
    address: str = ""
    name: str = ""
    handle: AmdHandle = None
    ordinal: int | None = None
    metered_by: str = ""
    in_processor: bool = False
    flags: tuple[str, ...] = ()


def find_gpus(driver: AmdDriver) -> list[AmdGpu]:
    """Return all GPUs that answer, in the order of the runtimes.

    Args:
        driver: The driver.

    Raises:
        AmdDriverError: The GPUs cannot be counted.
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


def _described(driver: AmdDriver, handle: AmdHandle, before: Sequence[AmdGpu]) -> AmdGpu:
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
    """Return the GPU whose sensors include the energy of this one.

    The first die of an MI250 shows the power of both dies, and the second shows nothing (aldebaran_ppt.c in the
    kernel). The first partition of a GPU shows the power of all partitions.
    """
    firsts = [other for other in before if other.metered_by == other.uuid and other.name == gpu.name]
    return firsts[-1] if firsts else gpu


def _is_mute(driver: AmdDriver, gpu: AmdGpu) -> bool:
    """Return whether all existing sensors of a GPU show nothing."""
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
    """Return a UUID from a number, written ``0x…`` or ``GPU-…``, or None if it is no UUID."""
    digits = str(text).lower().removeprefix("gpu-").removeprefix("0x")
    return f"GPU-{digits}" if UNIQUE_ID.fullmatch(digits) and int(digits, 16) not in (0, 2**64 - 1) else None


def _own_uuid(driver: AmdDriver, handle: AmdHandle) -> str:
    try:
        return f"GPU-{driver.uuid(handle)}"
    except AmdDriverError:
        return driver.address(handle)

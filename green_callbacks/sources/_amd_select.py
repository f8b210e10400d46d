"""Which AMD GPUs a process uses: what the framework says, or the variables as ROCm's runtimes read them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from green_callbacks.sources._amd_driver import AmdDriver, AmdDriverError, Handle

ROCR_VARIABLE: Final = "ROCR_VISIBLE_DEVICES"
HIP_VARIABLES: Final = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")
"""The first that is set counts (HIP, "Environment variables")."""
_INTEGER: Final = re.compile(r"\d+")
_UNIQUE_ID: Final = re.compile(r"[0-9a-f]{16}")
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
    return f"GPU-{digits}" if _UNIQUE_ID.fullmatch(digits) and int(digits, 16) not in (0, 2**64 - 1) else None


def _own_uuid(driver: AmdDriver, handle: Handle) -> str:
    try:
        return f"GPU-{driver.uuid(handle)}"
    except AmdDriverError:
        return driver.address(handle)


def choose(gpus: Sequence[AmdGpu], uuids: Iterable[str] | None, environment: Mapping[str, str]) -> list[AmdGpu]:
    """Return the GPUs that this process uses.

    Args:
        gpus: All GPUs, as the runtimes count them.
        uuids: What the framework uses, by UUID: whole or its beginning, with or without ``GPU-``; None to go by the
            environment.
        environment: Where the variables are.

    Returns:
        Each once. All GPUs if neither says anything.
    """
    if uuids is not None:
        named = (_by_name(gpus, _as_text(uuid)) for uuid in uuids)
        return list({gpu.uuid: gpu for gpu in named if gpu is not None}.values())
    for variables in ((ROCR_VARIABLE,), HIP_VARIABLES):  # the runtime below hides GPUs from the one above
        visible = next((environment[name] for name in variables if name in environment), None)
        if visible is not None:
            gpus = _visible(gpus, visible)
    return list(gpus)


def _visible(gpus: Sequence[AmdGpu], visible: str) -> list[AmdGpu]:
    """Read the list as ROCm does: up to the first entry that names nothing, or one that was named already."""
    in_doubt = len(gpus) > 1 and any(gpu.ordinal is None for gpu in gpus)
    chosen: list[AmdGpu] = []
    for entry in visible.split(","):
        text = entry.strip()
        if _INTEGER.fullmatch(text):
            gpu = gpus[int(text)] if int(text) < len(gpus) else None
            if gpu is not None and in_doubt:
                # The library goes by the bus, the runtimes by the kernel's nodes: an index may mean another GPU.
                gpu = replace(gpu, flags=tuple(dict.fromkeys((*gpu.flags, "index_in_doubt"))))
        else:
            gpu = _by_name(gpus, text)
        if gpu is None or any(gpu.uuid == other.uuid for other in chosen):
            break
        chosen.append(gpu)
    return chosen


def _by_name(gpus: Sequence[AmdGpu], name: str) -> AmdGpu | None:
    beginning = name.lower().removeprefix("gpu-")
    alike = [gpu for gpu in gpus if beginning and gpu.uuid.lower().removeprefix("gpu-").startswith(beginning)]
    exact = [gpu for gpu in alike if gpu.uuid.lower().removeprefix("gpu-") == beginning]
    return next(iter(exact or (alike if len(alike) == 1 else ())), None)


def _as_text(uuid: str) -> str:
    """Return a UUID that torch has written as 16 bytes, which on ROCm are the 16 digits as text (HIP)."""
    try:
        digits = bytes.fromhex(uuid.lower().removeprefix("gpu-").replace("-", "")).decode("ascii")
    except ValueError:
        return uuid
    return digits if _UNIQUE_ID.fullmatch(digits.lower()) else uuid


def metered(gpus: Sequence[AmdGpu], chosen: Sequence[AmdGpu]) -> list[AmdGpu]:
    """Return the GPUs whose sensors hold the energy of the chosen ones, each once.

    A part of a package cannot be measured by itself: the whole package counts, and is flagged ``whole_package`` where
    it holds parts that were not chosen.

    Args:
        gpus: All GPUs.
        chosen: Those that are used.
    """
    by_uuid = {gpu.uuid: gpu for gpu in gpus}
    used = {gpu.uuid for gpu in chosen}
    result = {}
    for gpu in chosen:
        parts = {each.uuid for each in gpus if each.metered_by == gpu.metered_by}
        flags = (*by_uuid[gpu.metered_by].flags, *gpu.flags, *(() if parts <= used else ("whole_package",)))
        result[gpu.metered_by] = replace(by_uuid[gpu.metered_by], flags=tuple(dict.fromkeys(flags)))
    return list(result.values())

"""The GPUs that a process uses, from the framework or from ``CUDA_VISIBLE_DEVICES``."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from green_callbacks.sources.nvidia.driver.calls import Driver, DriverError, NvmlHandle

_LEADING_INTEGER = re.compile(r"\s*([+-]?\d+)")
_OLD_MIG_NAME = re.compile(r"MIG-(GPU-[^/]+)/(\d+)/(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class MigSlice:
    """A MIG device.

    Attributes:
        uuid: Its UUID, ``MIG-…``.
        instance: Ids of its GPU instance and of its compute instance.
        slices: Number of its slices.
        of_slices: Number of slices into which the GPU can be cut.
    """

    uuid: str
    instance: tuple[int, int]
    slices: int
    of_slices: int

    @property
    def share(self) -> float:
        """Share of the GPU, 0 to 1."""
        return self.slices / self.of_slices


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A GPU that the driver sees.

    Attributes:
        uuid: Its UUID, ``GPU-…``.
        name: Product name. GPUs of one name are of one model.
        handle: The driver's handle.
        mig: Its MIG devices.
    """

    uuid: str
    name: str = ""
    handle: NvmlHandle = None
    mig: tuple[MigSlice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A GPU to measure, or a slice of a GPU.

    Attributes:
        gpu: The GPU.
        mig: The used slice. None for the whole GPU.
        flags: Flags for its readings.
    """

    gpu: Found
    mig: MigSlice | None = None
    flags: tuple[str, ...] = field(default=())


def find_gpus(driver: Driver, *, with_slices: bool = True) -> list[Found]:
    """Return all GPUs that answer, in the order of the PCI bus.

    Args:
        driver: The driver.
        with_slices: Whether to look for MIG devices, which takes a call or more for each GPU. Defaults to True.

    Raises:
        DriverError: The GPUs cannot be counted.
    """
    found = []
    for index in range(driver.device_count()):
        try:
            handle = driver.handle_by_index(index)
            slices = _mig(driver, handle) if with_slices else ()
            gpu = Found(uuid=driver.uuid(handle), name=_name(driver, handle), handle=handle, mig=slices)
        except DriverError:
            continue
        found.append(gpu)
    return found


def _name(driver: Driver, handle: NvmlHandle) -> str:
    try:
        return driver.name(handle)
    except DriverError:
        return ""


def _mig(driver: Driver, handle: NvmlHandle) -> tuple[MigSlice, ...]:
    slices = []
    for part in driver.mig_handles(handle):
        try:
            one = MigSlice(
                uuid=driver.uuid(part),
                instance=driver.mig_instance(part),
                slices=driver.mig_slices(part),
                of_slices=driver.most_slices(handle),
            )
        except DriverError:
            continue
        if 0 < one.slices <= one.of_slices:  # other values give no share of the GPU
            slices.append(one)
    return tuple(slices)


def choose(gpus: Sequence[Found], uuids: Iterable[str] | None, environment: Mapping[str, str]) -> list[Chosen]:
    """Return the GPUs that this process uses.

    Args:
        gpus: All GPUs, in the order of the PCI bus.
        uuids: UUIDs of the GPUs that the framework uses. A beginning suffices, with or without ``GPU-``. None to follow
            the environment.
        environment: Environment variables with ``CUDA_VISIBLE_DEVICES`` and ``CUDA_DEVICE_ORDER``.

    Returns:
        Each GPU once, or all GPUs if neither UUIDs nor environment restrict them.
    """
    if uuids is not None:
        named = [uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}" for uuid in uuids]
        return _once(chosen for name in named if (chosen := _by_name(gpus, name)) is not None)
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [Chosen(gpu=gpu) for gpu in gpus]
    return _visible(gpus, visible, environment.get("CUDA_DEVICE_ORDER", "FASTEST_FIRST"))


def names_slices(uuids: Iterable[str] | None, environment: Mapping[str, str]) -> bool:
    """Return whether a MIG device is asked for by name.

    Args:
        uuids: UUIDs that the framework uses. None to follow the environment.
        environment: Environment variables with ``CUDA_VISIBLE_DEVICES``.
    """
    names = environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if uuids is None else uuids
    return any(name.strip().startswith("MIG") for name in names)


def bare_uuid(name: str) -> str:
    """Return a UUID without the prefix ``GPU-`` or ``MIG-``.

    Frameworks that cannot tell a GPU from a slice name it with both prefixes.

    Args:
        name: The UUID of a GPU or of a slice.
    """
    return name.removeprefix("GPU-").removeprefix("MIG-")


def _visible(gpus: Sequence[Found], visible: str, order: str) -> list[Chosen]:
    """Read the variable as the driver does (CUDA C++ Programming Guide, "CUDA Environment Variables").

    The list ends at the first entry that names nothing. A GPU that is named twice empties it. A process can use only
    one MIG device, the first.
    """
    in_doubt = order != "PCI_BUS_ID" and len({gpu.name for gpu in gpus}) > 1
    chosen: list[Chosen] = []
    for entry in visible.split(","):
        one = _by_entry(gpus, entry, in_doubt=in_doubt)
        if one is None:
            break
        if one.mig is not None:
            return chosen or [one]
        if any(one.gpu.uuid == other.gpu.uuid for other in chosen):
            return []
        chosen.append(one)
    return chosen


def _by_entry(gpus: Sequence[Found], entry: str, *, in_doubt: bool) -> Chosen | None:
    if entry.strip().startswith(("GPU-", "MIG-")):
        return _by_name(gpus, entry.strip())
    integer = _LEADING_INTEGER.match(entry)
    if integer is None or not 0 <= int(integer[1]) < len(gpus):
        return None
    # By default CUDA puts the fastest GPU first, while the driver's library follows the bus. If models differ, an index
    # may mean another GPU.
    return Chosen(gpu=gpus[int(integer[1])], flags=("index_in_doubt",) if in_doubt else ())


def _by_name(gpus: Sequence[Found], name: str) -> Chosen | None:
    old = _OLD_MIG_NAME.fullmatch(name)
    if old:
        parts = [(g, m) for g in gpus if g.uuid == old[1] for m in g.mig if m.instance == (int(old[2]), int(old[3]))]
    else:
        parts = [(g, m) for g in gpus for m in g.mig if m.uuid.startswith(name)]
    if len(parts) == 1:
        gpu, mig = parts[0]
        return Chosen(gpu=gpu, mig=mig, flags=(f"mig_{mig.slices}_of_{mig.of_slices}", f"parent:{gpu.uuid}"))
    whole = [gpu for gpu in gpus if gpu.uuid.startswith(name)]
    return Chosen(gpu=whole[0]) if len(whole) == 1 else None


def _once(chosen: Iterable[Chosen]) -> list[Chosen]:
    return list({(one.gpu.uuid, one.mig and one.mig.uuid): one for one in chosen}.values())

"""Names the GPUs that hold a model, as the driver and as torch name them."""

from collections.abc import Iterable

import torch


def gpu_uuids(device: torch.device) -> tuple[str, ...] | None:
    """Return the UUIDs of the GPU that a rank trains on, as the driver writes them.

    Args:
        device: The device of the rank.

    Returns:
        The UUID with the prefix of a GPU and with the prefix of a MIG slice, because torch does not tell which it is.
        Empty if the rank does not train on a GPU. None if torch does not know the UUID, as for Intel GPUs.
    """
    if device.type == "xpu":
        return None
    if device.type != "cuda":
        return ()
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    return None if uuid is None else (f"GPU-{uuid}", f"MIG-{uuid}")


def gpu_name(device: torch.device) -> str:
    """Return the accelerator that a rank trains on, as torch names it. Empty for a CPU.

    Args:
        device: The device of the rank.
    """
    return "" if device.type in ("cpu", "meta") else str(device)


def all_uuids(devices: Iterable[torch.device]) -> tuple[str, ...] | None:
    """Return the UUIDs of several GPUs. None if torch does not know one of them.

    Args:
        devices: The devices of the rank.
    """
    found = [gpu_uuids(device) for device in devices]
    return None if None in found else tuple(uuid for uuids in found if uuids for uuid in uuids)

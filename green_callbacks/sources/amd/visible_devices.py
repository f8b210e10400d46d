"""Which AMD GPUs a process uses: what the framework says, or the variables as ROCm's runtimes read them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from green_callbacks.sources.amd.inventory import UNIQUE_ID, AmdGpu

ROCR_VARIABLE: Final = "ROCR_VISIBLE_DEVICES"
HIP_VARIABLES: Final = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")
"""The first that is set counts (HIP, "Environment variables")."""
_INTEGER: Final = re.compile(r"\d+")


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
    return digits if UNIQUE_ID.fullmatch(digits.lower()) else uuid


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

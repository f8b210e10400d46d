"""The AMD GPUs that a process uses, from the framework or from the variables of ROCm's runtimes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from green_callbacks.sources.amd.inventory import UNIQUE_ID, AmdGpu

ROCR_VARIABLE: Final = "ROCR_VISIBLE_DEVICES"
HIP_VARIABLES: Final = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")
"""Variables that restrict the GPUs of HIP. The first that is set counts (HIP, "Environment variables")."""
_INTEGER: Final = re.compile(r"\d+")


def choose(gpus: Sequence[AmdGpu], uuids: Iterable[str] | None, environment: Mapping[str, str]) -> list[AmdGpu]:
    """Return the GPUs that this process uses.

    Args:
        gpus: All GPUs, in the order of the runtimes.
        uuids: UUIDs of the GPUs that the framework uses. A beginning suffices, with or without ``GPU-``. None to follow
            the environment.
        environment: Environment variables.

    Returns:
        Each GPU once, or all GPUs if neither UUIDs nor environment restrict them.
    """
    if uuids is not None:
        named = (_by_name(gpus, _as_text(uuid)) for uuid in uuids)
        return list({gpu.uuid: gpu for gpu in named if gpu is not None}.values())
    for variables in ((ROCR_VARIABLE,), HIP_VARIABLES):  # the lower runtime hides GPUs from the upper one
        visible = next((environment[name] for name in variables if name in environment), None)
        if visible is not None:
            gpus = _visible(gpus, visible)
    return list(gpus)


def _visible(gpus: Sequence[AmdGpu], visible: str) -> list[AmdGpu]:
    """Read the list as ROCm does. It ends at the first entry that names nothing, or names a GPU again."""
    in_doubt = len(gpus) > 1 and any(gpu.ordinal is None for gpu in gpus)
    chosen: list[AmdGpu] = []
    for entry in visible.split(","):
        text = entry.strip()
        if _INTEGER.fullmatch(text):
            gpu = gpus[int(text)] if int(text) < len(gpus) else None
            if gpu is not None and in_doubt:
                # The library and the runtimes may count GPUs in another order. So an index may mean another GPU.
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
    """Return a UUID that torch has written as 16 bytes. On ROCm they are the 16 digits as text (HIP)."""
    try:
        digits = bytes.fromhex(uuid.lower().removeprefix("gpu-").replace("-", "")).decode("ascii")
    except ValueError:
        return uuid
    return digits if UNIQUE_ID.fullmatch(digits.lower()) else uuid


def metered(gpus: Sequence[AmdGpu], chosen: Sequence[AmdGpu]) -> list[AmdGpu]:
    """Return the GPUs whose sensors include the energy of the chosen GPUs, each once.

    A part of a package cannot be measured by itself. So the whole package counts, flagged ``whole_package`` if some of
    its parts were not chosen.

    Args:
        gpus: All GPUs.
        chosen: The used GPUs.
    """
    by_uuid = {gpu.uuid: gpu for gpu in gpus}
    used = {gpu.uuid for gpu in chosen}
    result = {}
    for gpu in chosen:
        parts = {each.uuid for each in gpus if each.metered_by == gpu.metered_by}
        flags = (*by_uuid[gpu.metered_by].flags, *gpu.flags, *(() if parts <= used else ("whole_package",)))
        result[gpu.metered_by] = replace(by_uuid[gpu.metered_by], flags=tuple(dict.fromkeys(flags)))
    return list(result.values())

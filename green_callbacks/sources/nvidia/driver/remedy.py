"""Remedies where NVIDIA's driver does not report the energy of its GPUs."""

from collections.abc import Mapping, Sequence
from typing import Final

from green_callbacks.sources.job.machine_kind import Place, place_of

_NO_DRIVER: Final = 9
"""Return code for a driver that is not loaded (``nvml.h``, as are all codes here)."""
_NO_LIBRARY: Final = 12
"""Return code for a missing library."""
_MISMATCH: Final = 18
"""Return code for a library and a kernel module of different versions."""

_OWN_METER: Final = "sources=[CallableSource(read_gpu_watts, component='gpu')]"
_IN_CONTAINER: Final = (
    "container with '--gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility' (nvidia-container-toolkit). Without "
    "'utility' it has CUDA, but not this library."
)
_START_IT: Final = "Install its driver, or start the container with GPU access ('--gpus all'). 'nvidia-smi' must work."
_OPEN_IT: Final = (
    "This process may not open /dev/nvidiactl. Join the group that owns it (often 'sudo usermod -aG video $USER', then "
    "log in again), or give the container all of /dev/nvidia*."
)
_RESET: Final = "Look for errors of the GPU (Xid) in 'dmesg'. Reset the GPU ('sudo nvidia-smi --gpu-reset'), or reboot."
_REMEDIES: Final[Mapping[int, str]] = {
    4: _OPEN_IT,
    _NO_DRIVER: "The driver is not loaded. Run 'sudo modprobe nvidia'. After a new kernel, install the driver again.",
    13: "The driver is too old for this nvidia-ml-py. Update the driver.",
    15: _RESET,
    16: _RESET,
    17: _OPEN_IT,
    _MISMATCH: (
        "Its library and its kernel module are of different versions, as after an update of the driver. Reboot, or "
        "reload the module ('sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia'). Restart "
        "a container, too."
    ),
    _NO_LIBRARY: (
        "Its library libnvidia-ml is not found. Install the driver's package with this library, in the version of the "
        f"driver. 'nvidia-smi' must work. Start a {_IN_CONTAINER}"
    ),
}
_REMEDIES_BY_MACHINE: Final[Mapping[tuple[int, Place], str]] = {
    (_NO_DRIVER, "container"): "The driver is not reached. Start the container with '--gpus all'.",
    (_NO_LIBRARY, "container"): f"Its library libnvidia-ml is not found. Start the {_IN_CONTAINER}",
    (_NO_LIBRARY, "jetson"): (
        "A Jetson has no such library before JetPack 7, but reports the power of its rails. Read it with 'tegrastats' "
        f"or from hwmon (ina3221), and pass {_OWN_METER}."
    ),
    (_NO_LIBRARY, "wsl"): (
        "In WSL its library comes with the driver of Windows. Install that driver, run 'wsl --update', and put "
        "/usr/lib/wsl/lib into LD_LIBRARY_PATH."
    ),
    (999, "container"): (
        "A container loses its GPU when systemd of the host reloads. Restart the container, and see 'no-cgroups' in "
        "/etc/nvidia-container-runtime/config.toml."
    ),
}
_LIST_COMMAND: Final = "nvidia-smi"
_COMMANDS: Final[Mapping[int | None, str]] = {_MISMATCH: "sudo reboot", _NO_DRIVER: "sudo modprobe nvidia"}
_WITHOUT_POWER: Final[Mapping[Place, str]] = {
    "jetson": f"A Jetson reports the power of its rails instead. Read 'tegrastats', and pass {_OWN_METER}.",
    "wsl": f"Some drivers of Windows do not pass it on to WSL. Update the driver, or pass {_OWN_METER}.",
}


def remedy(code: int | None) -> str:
    """Return the remedy for a driver's library that does not start.

    Args:
        code: The library's return code. None if it returned nothing.

    Returns:
        A sentence or two.
    """
    if code is None:
        return _START_IT
    return _REMEDIES_BY_MACHINE.get((code, place_of())) or _REMEDIES.get(code, _START_IT)


def command(code: int | None) -> str:
    """Return the first command to type if the driver's library does not start.

    Args:
        code: The library's return code. None if it returned nothing.
    """
    return _LIST_COMMAND if place_of() == "container" else _COMMANDS.get(code, _LIST_COMMAND)


def without_power(*, is_slice: bool) -> str:
    """Return the remedy for GPUs that report neither energy nor power.

    Args:
        is_slice: Whether the GPU is a slice of MIG.
    """
    if is_slice:
        return (
            "A slice of MIG counts its share of the whole GPU's energy, which the driver does not report here. Give "
            "the container the whole GPU's device, or train without MIG."
        )
    unsupported = f"Older GeForce and virtual GPUs do not report it. Ask the administrator, or pass {_OWN_METER}."
    return _WITHOUT_POWER.get(place_of(), unsupported)


def none_chosen(found: int, uuids: Sequence[str] | None, environ: Mapping[str, str]) -> str:
    """Return a message that none of the driver's GPUs counts, and the remedy.

    Args:
        found: The number of GPUs that the driver sees.
        uuids: The requested GPUs. None if the environment decides.
        environ: Environment variables.
    """
    if not found:
        return (
            "NVIDIA's driver sees no GPU, and 'nvidia-smi -L' lists none. Look for errors (Xid) in 'dmesg', and give a "
            "container its GPUs ('--gpus all')."
        )
    visible = f"CUDA_VISIBLE_DEVICES={environ.get('CUDA_VISIBLE_DEVICES')!r}"
    asked = visible if uuids is None else f"uuids={list(uuids)}"
    return (
        f"This process uses no NVIDIA GPU, because {asked} names none of the {found} that the driver sees. "
        "'nvidia-smi -L' lists them. Name the GPUs to measure by sources=[NvmlSource(uuids=[...])]."
    )

"""What to do about NVIDIA's driver where it does not tell the energy of its GPUs."""

from collections.abc import Mapping, Sequence
from typing import Final

from green_callbacks.sources.job.machine_kind import Place, place_of

_NO_DRIVER, _NO_LIBRARY, _MISMATCH = 9, 12, 18
"""Of ``nvmlReturn_t``, like all numbers here."""

_OWN_METER: Final = "sources=[CallableSource(read_gpu_watts, component='gpu')]"
_IN_CONTAINER: Final = (
    "container with '--gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility' (nvidia-container-toolkit): without "
    "'utility' it has CUDA, and not this library."
)
_START_IT: Final = "Install its driver, or start the container with GPU access ('--gpus all'); 'nvidia-smi' must work."
_OPEN_IT: Final = (
    "This process may not open /dev/nvidiactl: join the group that owns it (often 'sudo usermod -aG video $USER', then "
    "log in again), or give the container all of /dev/nvidia*."
)
_LOOK: Final = "Look at 'dmesg' for errors of the GPU (Xid); reset it ('sudo nvidia-smi --gpu-reset') or reboot."
_ANYWHERE: Final[Mapping[int, str]] = {
    4: _OPEN_IT,
    _NO_DRIVER: "The driver is not loaded: run 'sudo modprobe nvidia'; after a new kernel, install it again.",
    13: "The driver is too old for this nvidia-ml-py: update the driver.",
    15: _LOOK,
    16: _LOOK,
    17: _OPEN_IT,
    _MISMATCH: (
        "Its library and its kernel module are of different versions, as after an update of the driver. Reboot, or "
        "reload the module ('sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia'); restart "
        "a container, too."
    ),
    _NO_LIBRARY: (
        "Its library libnvidia-ml is not found. Install the driver's package that has it, of the version of the "
        f"driver; 'nvidia-smi' must work. Start a {_IN_CONTAINER}"
    ),
}
_AT_A_PLACE: Final[Mapping[tuple[int, Place], str]] = {
    (_NO_DRIVER, "container"): "The driver is not reached: start the container with '--gpus all'.",
    (_NO_LIBRARY, "container"): f"Its library libnvidia-ml is not found. Start the {_IN_CONTAINER}",
    (_NO_LIBRARY, "jetson"): (
        "A Jetson has no such library before JetPack 7, but tells the power of its rails: read them with 'tegrastats' "
        f"or from hwmon (ina3221), and pass {_OWN_METER}."
    ),
    (_NO_LIBRARY, "wsl"): (
        "In WSL its library comes with the driver of Windows: install that one, run 'wsl --update', and put "
        "/usr/lib/wsl/lib into LD_LIBRARY_PATH."
    ),
    (999, "container"): (
        "A container loses its GPU when systemd of the host reloads: restart it, and see 'no-cgroups' in "
        "/etc/nvidia-container-runtime/config.toml."
    ),
}
_LOOK_AT_IT: Final = "nvidia-smi"
_COMMANDS: Final[Mapping[int | None, str]] = {_MISMATCH: "sudo reboot", _NO_DRIVER: "sudo modprobe nvidia"}
_WITHOUT_POWER: Final[Mapping[Place, str]] = {
    "jetson": f"A Jetson tells the power of its rails instead: read 'tegrastats', and pass {_OWN_METER}.",
    "wsl": f"Some drivers of Windows do not pass it on to WSL: update the driver, or pass {_OWN_METER}.",
}


def remedy(code: int | None) -> str:
    """Return what would let the driver's library start here.

    Args:
        code: What it returned; None if it returned nothing.

    Returns:
        A sentence or two.
    """
    if code is None:
        return _START_IT
    return _AT_A_PLACE.get((code, place_of())) or _ANYWHERE.get(code, _START_IT)


def command(code: int | None) -> str:
    """Return what to type first where the driver's library does not start.

    Args:
        code: What it returned; None if it returned nothing.
    """
    return _LOOK_AT_IT if place_of() == "container" else _COMMANDS.get(code, _LOOK_AT_IT)


def without_power(*, is_slice: bool) -> str:
    """Return what to do about GPUs that tell neither energy nor power.

    Args:
        is_slice: Whether it is a slice of MIG.
    """
    if is_slice:
        return (
            "The driver knows the energy of the whole GPU only, of which a slice of MIG counts its share, and does not "
            "tell it here: give the container the whole GPU's device, or train without MIG."
        )
    unsupported = f"Older GeForce and virtual GPUs do not tell it: ask whoever runs the host, or pass {_OWN_METER}."
    return _WITHOUT_POWER.get(place_of(), unsupported)


def none_chosen(found: int, uuids: Sequence[str] | None, environ: Mapping[str, str]) -> str:
    """Say why none of the driver's GPUs counts, and what to do.

    Args:
        found: How many the driver sees.
        uuids: The GPUs that were asked for; None where the environment decides.
        environ: Environment variables.
    """
    if not found:
        return (
            "NVIDIA's driver sees no GPU, and 'nvidia-smi -L' lists none: look at 'dmesg' for errors (Xid), and give a "
            "container its GPUs ('--gpus all')."
        )
    visible = f"CUDA_VISIBLE_DEVICES={environ.get('CUDA_VISIBLE_DEVICES')!r}"
    asked = visible if uuids is None else f"uuids={list(uuids)}"
    return (
        f"This process uses no NVIDIA GPU: {asked} names none of the {found} that the driver sees. 'nvidia-smi -L' "
        "lists them; sources=[NvmlSource(uuids=[...])] names those to measure."
    )

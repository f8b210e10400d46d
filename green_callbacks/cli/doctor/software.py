"""The installed frameworks, and the module of this package for each."""

import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from green_callbacks.cli.doctor.finding import Finding
from green_callbacks.cli.doctor.tensorboard import tensorboard

_ADAPTERS: Final = {
    "lightning": "green_callbacks.lightning",
    "pytorch-lightning": "green_callbacks.pytorch_lightning",
    "keras": "green_callbacks.keras",
    "transformers": "green_callbacks.transformers",
    "pytorch-ignite": "green_callbacks.ignite",
}
"""Module of EmissionsMonitor by the distribution that provides the framework."""
_OLDEST: Final = {
    "keras": (3, 0), "lightning": (2, 5), "pytorch-lightning": (2, 5), "transformers": (5, 0), "pytorch-ignite": (0, 5),
}  # fmt: skip
"""Oldest supported version by distribution."""

_PACKAGES: Final = (
    *_ADAPTERS, "torch", "tensorflow", "jax", "numpy", "tensorboard", "accelerate", "mlflow", "wandb", "ray", "optuna",
    "nvidia-ml-py", "psutil", "amdsmi", "zeus-apple-silicon",
)  # fmt: skip
"""Distributions on which a fault of this package can depend."""


def packages() -> dict[str, str]:
    """Return the versions of the installed packages on which a fault can depend, by the name of the distribution."""
    return {name: version for name in _PACKAGES if (version := _version(name)) is not None}


def software() -> list[Finding]:
    """Find the frameworks and TensorBoard, and a module that hides NVIDIA's.

    Returns:
        The findings. Frameworks that are not installed are left out.
    """
    return [*_shadowed(), *_frameworks(), *tensorboard()]


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _frameworks() -> list[Finding]:
    installed = {name: version for name in _ADAPTERS if (version := _version(name)) is not None}
    if not installed:
        text = "No framework with a callback is installed. For any loop, use EnergyAccountant from green_callbacks."
        return [Finding(topic="Framework", state="known", text=text)]
    return [_framework(name, version) for name, version in installed.items()]


def _framework(name: str, version: str) -> Finding:
    details = {"distribution": name, "version": version}
    oldest = _OLDEST[name]
    if tuple(int(part) for part in version.split(".")[:2] if part.isdecimal()) < oldest:
        needed = ".".join(map(str, oldest))
        text = f"{name} {version} is too old. The callback needs {needed} or later."
        command = f"pip install '{name}>={needed}'"
        return Finding(topic="Framework", state="attention", text=text, command=command, details=details)
    text = f"{name} {version} is installed. Use EmissionsMonitor from {_ADAPTERS[name]}."
    return Finding(topic="Framework", state="known", text=text, details=details)


def _shadowed() -> list[Finding]:
    """Return whether ``import pynvml`` finds another module than the module of nvidia-ml-py."""
    try:
        ours = metadata.distribution("nvidia-ml-py").locate_file("pynvml.py")
        spec = find_spec("pynvml")
    except (metadata.PackageNotFoundError, ValueError):  # a missing package is the driver's finding, and tests fake it
        return []
    origin = spec.origin if spec else None
    if origin is None or Path(origin).resolve() == Path(str(ours)).resolve():
        return []
    text = f"The module pynvml comes from {origin} instead of NVIDIA's nvidia-ml-py, so GPUs may not be measured."
    python = Path(sys.executable).name
    command = f"{python} -m pip uninstall -y pynvml && {python} -m pip install --force-reinstall nvidia-ml-py"
    return [Finding(topic="pynvml", state="attention", text=text, command=command, details={"origin": origin})]

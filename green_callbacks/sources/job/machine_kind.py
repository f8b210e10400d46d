"""The kind of machine on which this process runs, if it decides how a sensor becomes readable."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from green_callbacks.small_files import read_or_empty

Place = Literal["jetson", "wsl", "container", "machine"]

CONTAINER_MARKS: Final = (Path("/.dockerenv"), Path("/run/.containerenv"))
"""Files that Docker and Podman put into every container."""
_CONTAINER_VARIABLES: Final = ("KUBERNETES_SERVICE_HOST", "APPTAINER_CONTAINER", "SINGULARITY_CONTAINER")


def place_of(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> Place:
    """Return the kind of machine on which this process runs.

    Args:
        root: Root of the file system. Defaults to ``/``.
        environ: Environment variables. Defaults to ``os.environ``.

    Returns:
        ``jetson`` for a module of NVIDIA's with its GPU inside, ``wsl`` for Linux inside Windows, ``container``, or
        ``machine`` for all others.
    """
    model = read_or_empty(root / "proc/device-tree/compatible")
    if "nvidia,tegra" in model or _exists(root / "etc/nv_tegra_release"):
        return "jetson"
    if "microsoft" in read_or_empty(root / "proc/sys/kernel/osrelease").lower():
        return "wsl"
    marks = (root / mark.relative_to("/") for mark in CONTAINER_MARKS)
    if any(map(_exists, marks)) or any(name in environ for name in _CONTAINER_VARIABLES):
        return "container"
    return "machine"


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110  raises nothing where it is hidden

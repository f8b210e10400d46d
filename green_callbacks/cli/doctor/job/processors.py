"""The energy counters of the processors and their memory, and the model that replaces them."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from green_callbacks.cli.doctor.finding import COMMAND, Finding
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.small_files import LIST_BYTES, read_or_empty
from green_callbacks.sources import CpuModelSource, PowercapSource
from green_callbacks.sources.job.allotment import allotment

_COUNTERS: Final = "CPU and DRAM"
_POWERCAP: Final = Path("/sys/class/powercap")
_CPUINFO: Final = Path("/proc/cpuinfo")
_CONTAINER_MARKS: Final = (Path("/.dockerenv"), Path("/run/.containerenv"))
"""Files that Docker and Podman put into every container."""

_NO_MEMORY: Final = Finding(
    topic="DRAM",
    state="missing",
    text="No counter measures the memory, so its energy does not count. DramModelSource() models it by its size.",
)


def processors(
    root: Path = _POWERCAP,
    cpuinfo: Path = _CPUINFO,
    environ: Mapping[str, str] = os.environ,
    container_marks: Sequence[Path] = _CONTAINER_MARKS,
) -> list[Finding]:
    """Find the counters of the processors, the model that replaces them, and other jobs on the machine.

    Args:
        root: Folder of Linux' power capping interface.
        cpuinfo: File in which Linux describes the processors.
        environ: Environment variables. Defaults to ``os.environ``.
        container_marks: Files of which one exists in a container.

    Returns:
        The findings. A model is among them only if there is no counter.
    """
    source = PowercapSource(root)
    try:
        source.open()
        readings = source.read()
    except SourceUnavailableError as refusal:
        refused = _without_counters(refusal, cpuinfo, container_marks)
        return [refused, _model(cpuinfo), _NO_MEMORY, *_shared(environ)]
    finally:
        source.close()
    counters = [
        Finding(
            topic=name,
            state="measured" if reading.reason is None else "missing",
            text=f"Measured by its RAPL counter in {root}." if reading.reason is None else f"{reading.reason}.",
            details={"component": reading.component},
        )
        for name, reading in readings.items()
    ]
    has_memory = any(reading.component == "dram" for reading in readings.values())
    return [*counters, *([] if has_memory else [_NO_MEMORY]), *_shared(environ)]


def _without_counters(refusal: SourceUnavailableError, cpuinfo: Path, container_marks: Sequence[Path]) -> Finding:
    is_there = refusal.__cause__ is not None  # but may not be read
    text, match = str(refusal), COMMAND.search(str(refusal))
    command = _as_root(match[1]) if match else None
    if not is_there and re.search(r"^flags\s*:.*\bhypervisor\b", read_or_empty(cpuinfo, LIST_BYTES), re.MULTILINE):
        text = "This is a virtual machine, and its host gives it no access to the energy counters of the processors."
        command = None
    elif not is_there and any(os.path.exists(mark) for mark in container_marks):  # noqa: PTH110  raises nothing
        text = "This is a container, which has no access to the energy counters of the processors by default."
        command = "docker run --security-opt systempaths=unconfined ..."
    return Finding(topic=_COUNTERS, state="missing", text=text, command=command)


def _as_root(command: str) -> str:
    return command if command.startswith("sudo ") else f"sudo {command}"


def _model(cpuinfo: Path) -> Finding:
    try:
        assumptions = CpuModelSource(cpuinfo=cpuinfo).assumptions()
    except SourceUnavailableError as refusal:
        return Finding(topic="CPU", state="missing", text=str(refusal))
    text = (
        f"Modelled by its utilization, with {assumptions}. If you know its design power better, use "
        "CpuModelSource(tdp_watts=…)."
    )
    return Finding(topic="CPU", state="modelled", text=text, details=asdict(assumptions))


def _shared(environ: Mapping[str, str]) -> list[Finding]:
    part = allotment(environ)
    if not part.is_shared:
        return []
    text = (
        f"This job has {part.owned_cpus:g} of the machine's {part.host_cpus} logical processors, so other jobs may run "
        "beside it. A counter measures all processors, and its energy is flagged shared_host. "
        'PowercapSource(share="cpu_time") models the job\'s part. The model of the processors counts only the '
        "processors that this process may use."
    )
    command = "sbatch --exclusive" if any(name.startswith("SLURM_") for name in environ) else None
    details = {"cpus": part.owned_cpus, "host_cpus": part.host_cpus}
    return [Finding(topic="Shared node", state="attention", text=text, command=command, details=details)]

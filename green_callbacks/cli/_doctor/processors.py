"""How the energy of the processors and their memory is obtained, and whose it is."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from green_callbacks.cli._doctor.finding import Finding
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.sources import CpuModelSource, PowercapSource
from green_callbacks.sources._processor import quota, threads_per_core, watts_per_core

_COUNTERS: Final = "CPU and DRAM"
_POWERCAP: Final = Path("/sys/class/powercap")
_CPUINFO: Final = Path("/proc/cpuinfo")
_COMMAND: Final = re.compile(r"`([^`]+)`")
_CONTAINER_MARKS: Final = (Path("/.dockerenv"), Path("/run/.containerenv"))
"""What Docker and Podman put into every container."""
_SLURM_CPUS: Final = "SLURM_CPUS_ON_NODE"


def processors(
    root: Path = _POWERCAP,
    cpuinfo: Path = _CPUINFO,
    environ: Mapping[str, str] = os.environ,
    container_marks: Sequence[Path] = _CONTAINER_MARKS,
) -> list[Finding]:
    """Find the counters of the processors, the model that stands in for them, and who else may be in the figures.

    Args:
        root: The power capping tree.
        cpuinfo: Where Linux describes the processors.
        environ: Environment variables.
        container_marks: Files of which one exists in a container.

    Returns:
        The findings; what is modelled is among them only where there is no counter.
    """
    source = PowercapSource(root)
    try:
        source.open()
        readings = source.read()
    except SourceUnavailableError as refusal:
        return [_without_counters(refusal, cpuinfo, container_marks), _model(cpuinfo, environ), *_shared(environ)]
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
    return [*counters, *_shared(environ)]


def _without_counters(refusal: SourceUnavailableError, cpuinfo: Path, container_marks: Sequence[Path]) -> Finding:
    is_there = refusal.__cause__ is not None  # but may not be read
    text, match = str(refusal), _COMMAND.search(str(refusal))
    command = _as_root(match[1]) if match else None
    if not is_there and re.search(r"^flags\s*:.*\bhypervisor\b", _text(cpuinfo), re.MULTILINE):
        text = "This is a virtual machine, and its host passes no energy counter of the processors on to it."
        command = None
    elif not is_there and any(mark.exists() for mark in container_marks):
        text = "This is a container, and containers are not shown the energy counters of the processors unless told so."
        command = "docker run --security-opt systempaths=unconfined ..."
    return Finding(topic=_COUNTERS, state="missing", text=text, command=command)


def _as_root(command: str) -> str:
    return command if command.startswith("sudo ") else f"sudo {command}"


def _model(cpuinfo: Path, environ: Mapping[str, str]) -> Finding:
    model = CpuModelSource()
    try:
        model.open()
    except SourceUnavailableError as refusal:
        return Finding(topic="CPU", state="missing", text=str(refusal))
    finally:
        model.close()
    cpus, total = _cpus(environ)
    per_core = watts_per_core(cpuinfo)
    watts = per_core * total / threads_per_core(cpuinfo)
    name = _model_name(cpuinfo)
    is_listed = per_core != watts_per_core(Path(os.devnull))
    basis = "its maker's specification" if is_listed else "the median of common models, per core"
    text = (
        f"Modelled instead, from how busy it is, ±40 %: {name}, {total} logical processors, of which this process may "
        f"use {cpus:g}. Design power of the machine taken to be {watts:.0f} W, from {basis}; if you know better, "
        "use CpuModelSource(tdp_watts=…)."
    )
    details = {"model": name, "design_watts": watts, "cpus": cpus, "host_cpus": total}
    return Finding(topic="CPU", state="modelled", text=text, details=details)


def _model_name(cpuinfo: Path) -> str:
    match = re.search(r"^model name\s*:\s*(.+)$", _text(cpuinfo), re.MULTILINE)
    return match[1].strip() if match else "a processor that does not tell its name"


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _cpus(environ: Mapping[str, str]) -> tuple[float, int]:
    """Return how many logical processors this process may use, and how many the machine has."""
    import psutil

    total = psutil.cpu_count() or 1
    cpus: float = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else total
    limit = quota()
    if limit is not None:
        cpus = min(cpus, limit.cpus)
    allotted = environ.get(_SLURM_CPUS, "")
    return min(cpus, float(allotted)) if allotted.isdecimal() and int(allotted) else cpus, total


def _shared(environ: Mapping[str, str]) -> list[Finding]:
    cpus, total = _cpus(environ)
    if cpus >= total:
        return []
    text = (
        f"This job may use {cpus:g} of the machine's {total} logical processors, so other jobs may run beside it. "
        "A counter measures them all, whoever uses them; the model takes only the job's own part."
    )
    command = "sbatch --exclusive" if any(name.startswith("SLURM_") for name in environ) else None
    return [
        Finding(
            topic="Shared node",
            state="attention",
            text=text,
            command=command,
            details={"cpus": cpus, "host_cpus": total},
        )
    ]

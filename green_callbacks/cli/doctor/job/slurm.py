"""The job of Slurm in which a run would start, as its environment describes it."""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from green_callbacks.cli.doctor.finding import Finding
from green_callbacks.configuration import LEDGER_FOLDER_VARIABLE
from green_callbacks.registry.sql.file_system import network_file_system
from green_callbacks.sources.job.allotment import allotment
from green_callbacks.text.amounts import format_duration

_LONGEST: Final = 15
"""Most digits of a number of Slurm. Longer texts are no numbers. By experiment."""
_ADVICE: Final = (
    "At the limit Slurm sends SIGTERM, and SIGKILL after KillWait, which is 30 s unless the site says otherwise. Ask "
    "for an earlier signal with --signal=B:USR1@60, save a checkpoint when it comes, and requeue the job."
)


def slurm(environ: Mapping[str, str] = os.environ, folder: Path = Path(), now: float | None = None) -> list[Finding]:
    """Find the job, its processors and GPUs, its time limit, and whether its nodes share the ledgers.

    Args:
        environ: Environment variables. Defaults to ``os.environ``.
        folder: The working folder. Defaults to the present folder.
        now: The time, in s since 1970. Defaults to the time of the machine.

    Returns:
        The findings. None outside of Slurm.
    """
    if _number(environ, "SLURM_JOB_ID") is None:
        return []
    moment = time.time() if now is None else now
    return [_job(environ), _processors(environ), *_gpus(environ), _limit(environ, moment), _ledgers(environ, folder)]


def _job(environ: Mapping[str, str]) -> Finding:
    job, array = _number(environ, "SLURM_JOB_ID"), _number(environ, "SLURM_ARRAY_JOB_ID")
    task, restarts = _number(environ, "SLURM_ARRAY_TASK_ID"), _number(environ, "SLURM_RESTART_COUNT") or 0
    nodes = _number(environ, "SLURM_JOB_NUM_NODES") or _number(environ, "SLURM_NNODES")
    tasks = _number(environ, "SLURM_NTASKS")
    sentences = [f"Job {job}" + (f" is task {task} of array {array}." if array is not None else ".")]
    counts = [_counted(nodes, "node"), _counted(tasks, "task")]
    if any(counts):
        sentences.append(f"It has {' and '.join(filter(None, counts))}.")
    if restarts:
        sentences.append(f"It was requeued {_counted(restarts, 'time')}.")
    if array is not None:
        sentences.append(f'Its tasks share a budget with CarbonBudget(…, project="{array}") in a shared folder.')
    if (tasks or 1) > 1 and "SLURM_STEP_ID" not in environ:
        sentences.append("This is the batch script, which srun starts once for each task.")
    details = {
        "job": job, "array": array, "array_task": task, "nodes": nodes, "tasks": tasks, "requeued": restarts,
    }  # fmt: skip
    return Finding(topic="Slurm", state="known", text=" ".join(sentences), details=details)


def _processors(environ: Mapping[str, str]) -> Finding:
    part, per_task = allotment(environ), _number(environ, "SLURM_CPUS_PER_TASK")
    bound = None if part.affinity is None else len(part.affinity)
    asked = f"Slurm gives each task {_counted(per_task, 'processor')}" if per_task else "Slurm names no number per task"
    details = {"cpus_per_task": per_task, "bound_to": bound, "host_cpus": part.host_cpus}
    if bound is not None:
        text = f"{asked}, and this process is bound to {bound} of {part.host_cpus}."
        return Finding(topic="Slurm CPUs", state="known", text=text, details=details)
    text = f"{asked}, and this process is not bound. It may use all {part.host_cpus}."
    is_part = per_task is not None and per_task < part.host_cpus
    return Finding(
        topic="Slurm CPUs",
        state="attention" if is_part else "known",
        text=f"{text} So a model of the processors also counts the work of others." if is_part else text,
        command="srun --cpu-bind=cores ..." if is_part else None,
        details=details,
    )


def _gpus(environ: Mapping[str, str]) -> list[Finding]:
    given = environ.get("SLURM_STEP_GPUS") or environ.get("SLURM_JOB_GPUS") or ""
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if not given and not visible:
        return []
    details = {"given": given or None, "visible": visible}
    if given and visible is None:
        text = (
            f"Slurm gave the job the GPUs {given}, but CUDA_VISIBLE_DEVICES is not set. A run measures every GPU that "
            "it sees, also those of other jobs."
        )
        return [Finding(topic="Slurm GPUs", state="attention", text=text, details=details)]
    names = f"Slurm gave the job the GPUs {given}, and" if given else "Slurm names no GPUs of the job, and"
    text = f"{names} CUDA_VISIBLE_DEVICES is {visible}. A run measures what the variable names."
    return [Finding(topic="Slurm GPUs", state="known", text=text, details=details)]


def _limit(environ: Mapping[str, str], now: float) -> Finding:
    end = _number(environ, "SLURM_JOB_END_TIME")
    details: dict[str, object] = {"end_time": end, "seconds_left": None if end is None else end - now}
    if end is None:
        text = f"The environment does not tell the end of the job. {_ADVICE}"
        return Finding(topic="Slurm limit", state="known", text=text, command="squeue --me -O JobID,EndTime")
    try:
        when = f"{datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, OSError, ValueError):  # no date that a calendar knows
        when = f"second {end}"
    left = f", in {format_duration(end - now)}" if end > now else ", which is past"
    return Finding(topic="Slurm limit", state="known", text=f"The job ends at {when}{left}. {_ADVICE}", details=details)


def _ledgers(environ: Mapping[str, str], folder: Path) -> Finding:
    place = Path(environ.get(LEDGER_FOLDER_VARIABLE) or folder)
    kind = network_file_system(place)
    shown = Path(os.path.abspath(place))  # noqa: PTH100  resolving would follow links
    details = {"folder": str(shown), "file_system": kind or None}
    if kind:
        text = f"{shown} is on {kind}, so that all nodes find the ledgers."
        return Finding(topic="Slurm ledgers", state="known", text=text, details=details)
    text = (
        f"{shown} is on a disk of this node. Other nodes, and this job after a requeue to another node, do not find "
        "the ledgers there, so a shared budget would count too little. Name a folder that all nodes share."
    )
    home = environ.get("SLURM_SUBMIT_DIR", "")
    is_better = home.startswith("/") and network_file_system(Path(home)) != ""
    command = f'export {LEDGER_FOLDER_VARIABLE}="$SLURM_SUBMIT_DIR/green-callbacks"' if is_better else None
    return Finding(topic="Slurm ledgers", state="attention", text=text, command=command, details=details)


def _number(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST else None


def _counted(count: int | None, noun: str) -> str:
    return "" if count is None else f"{count} {noun}{'' if count == 1 else 's'}"

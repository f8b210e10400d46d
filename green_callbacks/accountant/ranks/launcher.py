"""The place of this process among the processes that a launcher started, by environment variables."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

_MOST_RANKS: Final = 10_000_000
"""Number of processes that no job has. Larger numbers are mistakes."""
_LONGEST: Final = 8
"""Largest length of the number of a process in an environment variable, in digits."""
_SPECIAL_STEPS: Final = 4_294_967_280
"""Ids of Slurm's steps from here on are no steps that ``srun`` started, but batch scripts and shells."""


class Place(NamedTuple):
    """The place of a process in a job.

    Attributes:
        launcher: The program that started the processes.
        rank: Number of the process in the job, from 0.
        size: Number of processes of the job.
        local_rank: Number of the process on its host, from 0.
        local_size: Number of processes on its host. None if unknown.
        shares_environment: Whether all processes of a host got the same list of GPUs.
    """

    launcher: str
    rank: int
    size: int
    local_rank: int
    local_size: int | None = None
    shares_environment: bool = False


class _Names(NamedTuple):
    """The environment variables of a launcher, in the order of :class:`Place`."""

    launcher: str
    rank: str
    size: str
    local_rank: str
    local_size: str


_LAUNCHERS: Final = (
    _Names("torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
    _Names("jsrun", "JSM_NAMESPACE_RANK", "JSM_NAMESPACE_SIZE", "JSM_NAMESPACE_LOCAL_RANK", "JSM_NAMESPACE_LOCAL_SIZE"),
    _Names(
        "Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
    ),
    _Names(
        "MVAPICH", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_LOCAL_RANK",
        "MV2_COMM_WORLD_LOCAL_SIZE",
    ),
    _Names("srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_STEP_TASKS_HERE"),
    _Names("MPI", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
)  # fmt: skip
"""The launchers. A launcher within another one comes first, because ``srun`` may start ``torchrun``."""


def place_in_job(environ: Mapping[str, str]) -> Place | None:
    """Return the place of this process in the job that a launcher started. None for a process that runs alone.

    A batch script, or a shell within an allocation of Slurm, is one process, whatever the allocation is for. Variables
    that are no numbers, or contradict each other, are passed over.

    Args:
        environ: Environment variables.
    """
    return next((place for names in _LAUNCHERS if (place := _place(names, environ))), None)


def _place(names: _Names, environ: Mapping[str, str]) -> Place | None:
    if names.launcher == "srun":
        environ = dict(_of_step(environ))
    rank, size = _number(environ, names.rank), _number(environ, names.size)
    if rank is None or size is None or not rank < size or size < 2:  # noqa: PLR2004
        return None
    local_rank, local_size = _number(environ, names.local_rank), _number(environ, names.local_size)
    if local_rank is None:
        local_rank = 0  # such launchers start one process on each host
    if local_size is not None and not local_rank < local_size <= size:
        local_size = None
    shares = "TORCHELASTIC_RUN_ID" in environ
    return Place(names.launcher, rank, size, local_rank, local_size, shares)


def _number(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "").strip()
    is_number = text.isascii() and text.isdecimal() and len(text) <= _LONGEST
    return int(text) if is_number and int(text) < _MOST_RANKS else None


def _of_step(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield Slurm's variables of a step that ``srun`` started. Nothing outside such a step."""
    step = environ.get("SLURM_STEP_ID", "")
    if not (step.isascii() and step.isdecimal() and int(step) < _SPECIAL_STEPS):
        return
    for name in ("SLURM_PROCID", "SLURM_LOCALID"):
        yield name, environ.get(name, "")
    yield "SLURM_STEP_NUM_TASKS", environ.get("SLURM_STEP_NUM_TASKS", environ.get("SLURM_NTASKS", ""))
    here = _tasks_here(environ.get("SLURM_STEP_TASKS_PER_NODE", ""))
    yield "SLURM_STEP_TASKS_HERE", here


def _tasks_here(per_node: str) -> str:
    """Return the number of tasks on each node, where it is one number, such as ``4`` or ``4(x2)``."""
    number, _, repeated = per_node.partition("(x")
    return number if not repeated or repeated.endswith(")") else ""


def numbered_wrongly(environ: Mapping[str, str]) -> str | None:
    """Return a sentence on variables of ``torchrun`` that cannot be right. None if they can, or are not there.

    Args:
        environ: Environment variables.
    """
    rank, size = environ.get("RANK"), environ.get("WORLD_SIZE")
    if not rank or not size:
        return None
    number, count = _number(environ, "RANK"), _number(environ, "WORLD_SIZE")
    if number is not None and count is not None and (number < count or not count):
        return None
    return (
        f"RANK={rank!r} and WORLD_SIZE={size!r} name no process of a job, so they are ignored, and this process counts "
        "alone. Correct or remove them."
    )

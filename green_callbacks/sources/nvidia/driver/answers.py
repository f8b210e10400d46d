"""The answers of NVIDIA's driver, in SI units. A value that no GPU can have counts as no answer."""

from typing import Final, NamedTuple

from green_callbacks.sources.common.plausibility import MOST_WATTS
from green_callbacks.units import MILLIWATTS_PER_WATT

_NO_INSTANCE: Final = 2**32 - 1
"""Value that the driver reports instead of a GPU instance where there is none (``nvml.h``)."""

Field = tuple[int, int]
"""The id of a field value of the driver, and its scope."""


class PowerSample(NamedTuple):
    """One entry of the driver's buffer of power samples."""

    stamp: int
    """Time stamp of the driver, in µs since 1970."""
    watts: float


class RunningProcess(NamedTuple):
    """A process that computes on a GPU."""

    pid: int
    gpu_instance: int | None
    """The GPU instance of MIG on which the process computes. None if MIG is off."""


class ProcessSample(NamedTuple):
    """The SM utilization of a GPU by one process, since the last request."""

    stamp: int
    """Time stamp of the driver, in µs since 1970."""
    pid: int
    percent: int
    """Share of the time in which a kernel of the process ran, in percent."""


def watts_or_none(milliwatts: float) -> float | None:
    """Return a power in W, or None if no GPU can have it.

    Args:
        milliwatts: The driver's answer, in mW.
    """
    watts = milliwatts / MILLIWATTS_PER_WATT
    return watts if 0 < watts <= MOST_WATTS else None


def instance(number: int | None) -> int | None:
    """Return the GPU instance of a process, or None where there is none.

    Args:
        number: The driver's answer.
    """
    return None if number is None or number == _NO_INSTANCE else int(number)


def as_text(answer: object) -> str:
    """Return a text. Old bindings return bytes.

    Args:
        answer: The driver's answer.
    """
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)

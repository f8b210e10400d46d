"""What NVIDIA's driver answers, in SI units; what no GPU can mean is no answer."""

from typing import Final, NamedTuple

from green_callbacks.units import MILLIWATTS_PER_WATT

MOST_WATTS: Final = 5000.0
"""The power in W that no single device reaches: some four times the limit of the largest module of 2026."""
_NO_INSTANCE: Final = 2**32 - 1
"""What the driver writes in the place of a GPU instance where there is none."""

Field = tuple[int, int]
"""A field value of the driver, and its scope."""


class PowerSample(NamedTuple):
    """One entry of the driver's buffer of power samples."""

    stamp: int
    """The driver's time stamp, in microseconds since 1970."""
    watts: float


class RunningProcess(NamedTuple):
    """A process that computes on a GPU."""

    pid: int
    gpu_instance: int | None
    """The GPU instance of MIG on which it computes; None where the GPU is not cut."""


class ProcessSample(NamedTuple):
    """How busy one process kept a GPU since it was last asked."""

    stamp: int
    """The driver's time stamp, in microseconds since 1970."""
    pid: int
    percent: int
    """Part of the time in which its kernels ran: SM utilisation."""


def watts_or_none(milliwatts: float) -> float | None:
    """Return a power in W; None if no GPU can have it: nothing, less, more than any device, or not a number.

    Args:
        milliwatts: What the driver tells, in mW.
    """
    watts = milliwatts / MILLIWATTS_PER_WATT
    return watts if 0 < watts <= MOST_WATTS else None


def instance(number: int | None) -> int | None:
    """Return the GPU instance of a process; None where there is none.

    Args:
        number: What the driver tells.
    """
    return None if number is None or number == _NO_INSTANCE else int(number)


def as_text(told: object) -> str:
    """Return a text that old bindings tell as bytes."""
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)

"""What an adapter tells of the place where a run takes place."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from green_callbacks.accountant.ranks import Ranks
from green_callbacks.records import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an adapter knows of the place where a run takes place.

    Attributes:
        folder: Log folder of the framework; the working folder where there is none.
        ranks: The processes of the run.
        plan: What the framework knows ahead.
        writer: The framework's TensorBoard writer; None where there is none.
        streams_scalars: Whether the framework itself writes the scalars of every epoch through that writer.
        gpu_uuids: The GPUs that this process trains on; None where the framework does not say.
        is_running: Says whether training still goes on; None where the framework tells of its end, whatever ends it.
    """

    folder: Path
    ranks: Ranks
    plan: Plan
    writer: Any | None = None
    streams_scalars: bool = False
    gpu_uuids: tuple[str, ...] | None = None
    is_running: Callable[[], bool] | None = None

"""What an adapter tells of the place where a run takes place."""

import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from green_callbacks._version import __version__
from green_callbacks.accountant.ranks import Ranks, Slot, host_name
from green_callbacks.ledger import Head
from green_callbacks.records import DeviceInfo, Plan
from green_callbacks.sinks import RunContext

_FRAMEWORKS: Final = ("torch", "lightning", "pytorch_lightning", "keras", "tensorflow", "jax", "transformers")
"""Packages whose versions a ledger's head tells, where they are imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an adapter knows of the place where a run takes place.

    Attributes:
        folder: Log folder of the framework; the working folder where there is none.
        ranks: The processes of the run.
        plan: What the framework knows ahead.
        writer: The framework's TensorBoard writer; None where there is none.
        streams_scalars: Whether the framework itself writes the scalars of every epoch through that writer.
        is_resumed: Whether the run goes on from a checkpoint or a ledger, and may do again what was done after it.
        gpu_uuids: The GPUs that this process trains on; None where the framework does not say.
        gpu_name: What the framework calls what it trains on besides the processors; None where it does not say.
        is_running: Says whether training still goes on; None where the framework tells of its end, whatever ends it.
        on_spent: Called where a budget is found to be spent inside an epoch; None where the framework looks itself.
    """

    folder: Path
    ranks: Ranks
    plan: Plan
    writer: Any | None = None
    streams_scalars: bool = False
    is_resumed: bool = False
    gpu_uuids: tuple[str, ...] | None = None
    gpu_name: str | None = None
    is_running: Callable[[], bool] | None = None
    on_spent: Callable[[], object] | None = None

    @property
    def is_own_loop(self) -> bool:
        """Whether the loop is the user's own, as far as is known, and not a framework's."""
        return self.is_running is None and self.on_spent is None and self.gpu_name is None


def head_of(told: RunContext, labels: Mapping[str, str], slots: Sequence[Slot]) -> Head:
    """Return what the ledger of a run begins with.

    Args:
        told: What sinks are told of the run.
        labels: What the user says of it.
        slots: The devices of all ranks.
    """
    return Head(
        run_id=told.run_id,
        version=__version__,
        plan=told.plan,
        monitor=told.monitor,
        mode=told.mode,
        pue_source=told.pue_source,
        host=host_name(),
        devices={slot.name: slot.info for slot in slots if slot.info != DeviceInfo()},
        labels=labels,
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    """Return the versions of Python and of the frameworks that are imported."""
    versions = {"python": platform.python_version()}
    for name in _FRAMEWORKS:
        version = getattr(sys.modules.get(name), "__version__", None)
        if isinstance(version, str):
            versions[name] = str(version)
    return versions

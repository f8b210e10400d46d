"""The context of a run that an adapter knows."""

import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from green_callbacks._version import __version__
from green_callbacks.accountant.energy.lap_vectors import DeviceSlot
from green_callbacks.accountant.presence.identities import process_identity
from green_callbacks.accountant.ranks.host import host_name
from green_callbacks.accountant.ranks.part import WHOLE, Part
from green_callbacks.accountant.ranks.protocol import OneRank, Ranks
from green_callbacks.ledger import Head, RunBudget
from green_callbacks.policies import Budget, Policy, SharedBudget
from green_callbacks.records import DeviceInfo, Plan
from green_callbacks.sinks import Reporting, RunContext

_FRAMEWORKS: Final = ("torch", "lightning", "pytorch_lightning", "keras", "tensorflow", "jax", "transformers")
"""Packages whose versions the head of a ledger holds, if they are imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerContext:
    """The context of a run that an adapter knows.

    Attributes:
        folder: Log folder of the framework, or the working folder.
        ranks: The processes of the run.
        plan: The merged plan of user and framework.
        writer: The framework's TensorBoard writer, or None where there is none.
        reporting: How the framework itself reports metrics.
        is_resumed: Whether the run continues a checkpoint or a ledger, and may repeat the work after it.
        gpu_uuids: The GPUs on which this process trains, or None if the framework does not say.
        gpu_name: The accelerator in the framework's words, or None if it does not say.
        is_running: Returns whether training goes on, or None if the framework always reports the end.
        on_spent: Called when a budget is spent inside an epoch, or None if the framework asks itself.
        part: The part of the machine that this process counts, where the processes of a job are not agreed.
        is_provisional: Whether other processes may join before the first epoch. Nothing is kept or shown until then.
    """

    folder: Path
    plan: Plan
    ranks: Ranks = field(default_factory=OneRank)
    writer: Any | None = None
    reporting: Reporting = field(default_factory=Reporting)
    is_resumed: bool = False
    gpu_uuids: tuple[str, ...] | None = None
    gpu_name: str | None = None
    is_running: Callable[[], bool] | None = None
    on_spent: Callable[[], object] | None = None
    part: Part = WHOLE
    is_provisional: bool = False

    @property
    def is_own_loop(self) -> bool:
        """Whether the loop seems to be the user's own, and not the loop of a framework."""
        return self.is_running is None and self.on_spent is None and self.gpu_name is None


def head_of(
    context: RunContext,
    labels: Mapping[str, str],
    slots: Sequence[DeviceSlot],
    policies: Sequence[Policy] = (),
    *,
    parents: tuple[str, ...] = (),
    earlier: tuple[tuple[str, ...], ...] = (),
    hosts: Mapping[str, str] | None = None,
) -> Head:
    """Return the head of a run's ledger.

    Args:
        context: The run as sinks know it.
        labels: The labels of the user.
        slots: The devices of all ranks.
        policies: The policies of the run, whose budgets the head holds. Defaults to none.
        parents: The runs inside which this process runs, the nearest first. Defaults to none.
        earlier: The same for each earlier process of the run. Defaults to none.
        hosts: Identity of each machine of the run, by its name. Defaults to none.
    """
    return Head(
        run_id=context.run_id,
        version=__version__,
        plan=context.plan,
        monitor=context.monitor,
        mode=context.mode,
        pue_source=context.pue_source,
        host=host_name(),
        devices={slot.name: slot.info for slot in slots if slot.info != DeviceInfo()},
        labels=labels,
        versions=_versions(),
        budgets=tuple([_budget(policy) for policy in policies if isinstance(policy, Budget)]),
        parent=parents[0] if parents else None,
        ancestors=parents[1:],
        earlier=earlier if parents or any(earlier) else (),
        hosts=hosts or {},
        process=process_identity(),
    )


def _budget(budget: Budget) -> RunBudget:
    project = budget.project if isinstance(budget, SharedBudget) else None
    return RunBudget(budget.amount, str(project) if project else None)


def _versions() -> dict[str, str]:
    """Return the versions of Python and of the frameworks that are imported."""
    versions = {"python": platform.python_version()}
    for name in _FRAMEWORKS:
        version = getattr(sys.modules.get(name), "__version__", None)
        if isinstance(version, str):
            versions[name] = str(version)
    return versions

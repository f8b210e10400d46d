"""Which methods are trained, at which cost and at which learning rates."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from what_pays import methods, names
from what_pays.methods import Chosen, State

from green_callbacks import Plan


@dataclass(frozen=True)
class Method:
    """A way to train.

    Attributes:
        choose: Chooses the samples of an epoch.
        cost: Share of the cost of the whole plan. Defaults to a half.
        rate: Factor on the learning rate of the workload. Defaults to 1.
        share: Share of the set in each epoch. Defaults to all of it. None if it differs by epoch.
    """

    choose: Callable[[State], Chosen] = methods.everything
    cost: float = 0.5
    rate: float = 1.0
    share: float | None = 1.0

    def plan(self, epochs: int) -> Plan:
        """Return what is known of the run before it begins.

        Args:
            epochs: Number of epochs of the whole plan of the workload.
        """
        return Plan(epochs=None if self.share is None else round(self.cost * epochs / self.share), anneals=True)


WAYS: Final = {
    names.FULL: Method(cost=1.0),
    names.FEWER: Method(),
    names.FASTER: Method(rate=1.5),
    names.BATCHES: Method(methods.half_the_batches, share=0.5),
    names.STATIC: Method(methods.static_half, share=0.5),
    names.INFOBATCH: Method(methods.infobatch, share=None),
    names.MEAN_1: Method(methods.infobatch_of_mean_1, share=None),
    names.HARD: Method(methods.hard_half, share=None),
    names.FOR_GOOD: Method(methods.hard_half_for_good, share=None),
}
"""All methods by name."""


@dataclass(frozen=True)
class Group:
    """Runs that differ by their seed only.

    Attributes:
        workload: Name of the workload.
        factor: Factor on the low learning rate of the workload.
        method: Name of the method.
        seeds: Number of runs.
    """

    workload: str
    factor: float
    method: str
    seeds: int

    def ledger(self, folder: Path, seed: int) -> Path:
        """Return the file of a run's records.

        Args:
            folder: The folder of all ledgers.
            seed: The seed of the run.
        """
        parts = (self.workload, f"rate {self.factor:g}", self.method)
        words = ("-".join(re.findall(r"[a-z0-9.]+", part.lower())) for part in parts)
        return folder.joinpath(*words, f"seed-{seed}.jsonl")

    def labels(self, seed: int) -> dict[str, str]:
        """Return the labels of a run.

        Args:
            seed: The seed of the run.
        """
        return {"set": self.workload, "rate": f"{self.factor:g}", "method": self.method, "seed": str(seed)}


def all_groups() -> list[Group]:
    """Return all groups."""
    digits = (names.SETS[0], names.SETS[1])
    return [
        *_at_rates("mnist1d", [names.LOW], names.METHODS, names.MANY),
        *_at_rates("mnist1d", [names.TUNED], names.CENTRAL, names.FEW),
        *_at_rates(names.ADAM, [names.LOW], names.SCALED, names.FEW),
        *(each for name in digits for each in _at_rates(name, (names.LOW, names.TUNED), names.METHODS, names.MANY)),
        *(each for name in digits for each in _at_rates(name, names.OTHERS, names.SWEPT, names.FEW)),
    ]


def _at_rates(name: str, factors: Sequence[float], ways: Sequence[str], seeds: int) -> list[Group]:
    return [Group(name, factor, method, seeds) for factor in factors for method in ways]


def quick_groups() -> list[Group]:
    """Return the groups that are audited, with few runs."""
    return [Group("mnist1d", names.LOW, method, names.FEW) for method in names.AUDITED]

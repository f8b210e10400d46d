"""One training at a fixed cost, with its ledger."""

import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from torch.nn.functional import cross_entropy
from what_pays.methods import State
from what_pays.plans import WAYS, Group, Method
from what_pays.sets import WORKLOADS, Split, Workload

from green_callbacks import EnergyAccountant
from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource

WATTS: Final = 100.0
"""Power of the scripted device, in W. By choice: no figure depends on it."""
JOULES: Final = 1.0
"""Energy of a sample that is trained on, in J. By choice: only the ratio of two costs matters."""
MOMENTUM: Final = 0.9
"""Momentum of SGD, without a unit. The usual value."""
INTENSITY: Final = 400.0
"""Carbon intensity of the scripted grid, in gCO2e/kWh. By choice: no comparison depends on it."""


@dataclass
class Training:
    """A training that ends when its cost is spent.

    Args:
        workload: What is trained.
        method: How samples are chosen, for which share of the cost, and at which rate.
        seed: The seed of the split, the first weights and the order.
    """

    workload: Workload
    method: Method
    seed: int

    def __post_init__(self) -> None:
        self.split = Split.drawn(self.workload.examples(), self.seed, wrong=self.workload.wrong)
        torch.manual_seed(self.seed)
        self.network = self.workload.network()
        self.count = len(self.split.labels)
        self.cost = round(self.method.cost * self.workload.epochs * self.count)
        self.rate = self.method.rate * self.workload.rate
        self.optimizer = self._optimizer()
        self.state = State(torch.full((self.count,), math.inf), torch.Generator().manual_seed(1_000 + self.seed))
        self.clock = ScriptedClock()
        self.spent = 0

    def run(self, ledger: Path, labels: dict[str, str]) -> None:
        """Train to the end.

        Args:
            ledger: The file of the run's records.
            labels: The labels of the run.
        """
        source = ScriptedSource(WATTS, clock=self.clock)
        logging.disable(logging.WARNING)
        with EnergyAccountant(
            sources=[source], clock=self.clock, carbon_intensity=INTENSITY, policies=[], sinks=[], ledger=ledger,
            labels=labels, plan=self.method.plan(self.workload.epochs),
        ) as accountant:  # fmt: skip
            epoch = 0
            while self.spent < self.cost:
                accountant.begin_epoch(epoch)
                self._train(accountant)
                accountant.observe({"val_acc": self.accuracy()}, learning_rate=self._present_rate)
                accountant.end_epoch()
                epoch += 1
        logging.disable(logging.NOTSET)

    def _optimizer(self) -> torch.optim.Optimizer:
        if self.workload.optimizer == "AdamW":
            return torch.optim.AdamW(self.network.parameters(), self.rate)
        return torch.optim.SGD(self.network.parameters(), self.rate, momentum=MOMENTUM)

    @property
    def _present_rate(self) -> float:
        """A cosine from the rate to 0 over the cost, so that every method anneals by its own end."""
        return self.rate * (1 + math.cos(math.pi * self.spent / self.cost)) / 2

    def _train(self, accountant: EnergyAccountant) -> None:
        """Train an epoch, or what is left of the cost."""
        self.state.spent = self.spent / self.cost
        samples, weights = self.method.choose(self.state)
        left = self.cost - self.spent
        pairs = zip(samples[:left].split(self.workload.batch), weights[:left].split(self.workload.batch), strict=True)
        for chosen, weight in accountant.steps(pairs):
            for group in self.optimizer.param_groups:
                group["lr"] = self._present_rate
            losses = cross_entropy(self.network(self.split.inputs[chosen]), self.split.labels[chosen], reduction="none")
            self.optimizer.zero_grad()
            (losses * weight).mean().backward()
            self.optimizer.step()
            self.state.losses[chosen] = losses.detach()
            self.spent += len(chosen)
            self.clock.advance(len(chosen) * JOULES / WATTS)
            accountant.observe(samples=len(chosen))

    @torch.no_grad()
    def accuracy(self) -> float:
        """Return the accuracy on the examples that are held out, from 0 to 1. It costs nothing here."""
        right = self.network(self.split.held_out).argmax(1) == self.split.answers
        return int(right.sum()) / len(right)


def trained(group: Group, seed: int, folder: Path) -> Path:
    """Train a run, unless it is trained already.

    Args:
        group: The group of the run.
        seed: The seed of the run.
        folder: The folder of all ledgers.

    Returns:
        The ledger of the run.
    """
    ledger = group.ledger(folder, seed)
    if not ledger.exists():
        ledger.parent.mkdir(parents=True, exist_ok=True)
        unfinished = ledger.with_suffix(".open")
        unfinished.unlink(missing_ok=True)  # an accountant would go on with it
        workload, method = WORKLOADS[group.workload], WAYS[group.method]
        training = Training(workload, replace(method, rate=group.factor * method.rate), seed)
        training.run(unfinished, group.labels(seed))
        unfinished.rename(ledger)
    return ledger

"""Trainings that can be left and resumed at any step, several seeds at once."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from landing.networks import Forward, Weights, drawn
from landing.sets import Data
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, OneCycleLR

from green_callbacks.torch import recent_average

SHARE: Final = 0.1
"""Share of the steps so far over which the recent average reaches back. The default of the product."""
WARM_UP: Final = 0.1
"""Share of the plan in which the linear schedule rises."""
MOMENTUM: Final = 0.9
"""Momentum of SGD, without a unit. The usual value."""
Schedule = Literal["constant", "cosine", "linear", "OneCycle"]
ANNEALED: Final[tuple[Schedule, ...]] = ("cosine", "linear", "OneCycle")
"""Schedules whose rate goes to about zero by the end of the plan."""


@dataclass(frozen=True)
class Workload:
    """A network, its data and its optimizer.

    Attributes:
        name: Name of the set.
        optimizer: Name of the optimizer.
        rates: Learning rates to try.
        data: Makes the data.
        forward: Computes the scores of the network.
        shapes: Inputs and outputs of the layers.
        batch: Number of examples in a batch.
        epochs: Number of planned epochs.
    """

    name: str
    optimizer: Literal["SGD", "AdamW"]
    rates: tuple[float, ...]
    data: Callable[[], Data]
    forward: Forward
    shapes: tuple[tuple[int, int], ...]
    batch: int
    epochs: int

    @property
    def title(self) -> str:
        """The set and the optimizer."""
        return f"{self.name}, {self.optimizer}"

    @property
    def epoch_steps(self) -> int:
        """The number of steps of an epoch. The last examples of each order are left out."""
        return self.data().parts[0] // self.batch

    @property
    def steps(self) -> int:
        """The number of steps of the plan."""
        return self.epochs * self.epoch_steps


class Training:
    """A training of one workload, with one row of weights for each seed.

    Args:
        workload: The workload.
        rate: The highest learning rate.
        schedule: The schedule of the learning rate.
        seeds: Seeds of the runs. A seed draws the split, the first weights and the order of the examples.
    """

    def __init__(self, workload: Workload, rate: float, schedule: Schedule, seeds: Sequence[int]) -> None:
        self.workload, self.rate, self.schedule, self.seeds = workload, rate, schedule, tuple(seeds)
        self.data = workload.data()
        self.parts = self.data.split(list(seeds))
        self.weights = drawn(workload.shapes, seeds)
        self._average = recent_average(SHARE)
        self.averages = [weight.detach().clone() for weight in self.weights]
        self.optimizer = _optimizer(workload.optimizer, self.weights, rate)
        self.scheduler = scheduled(schedule, self.optimizer, rate, workload.steps)
        self.steps = 0
        self._order: tuple[int, torch.Tensor] = (-1, torch.empty(0))

    @property
    def present_rate(self) -> float:
        """The rate of the schedule for the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def step(self) -> None:
        """Train on the next batch of every run."""
        epoch, batch = divmod(self.steps, self.workload.epoch_steps)
        chosen = self._ordered(epoch)[:, batch * self.workload.batch : (batch + 1) * self.workload.batch]
        scores = self.workload.forward(self.weights, self.data.inputs[chosen])
        loss = cross_entropy(scores.flatten(0, 1), self.data.labels[chosen].flatten(), reduction="sum")
        self.optimizer.zero_grad()
        (loss / self.workload.batch).backward()
        self.optimizer.step()
        self.scheduler.step()
        self.steps += 1
        self._average(self.averages, [weight.detach() for weight in self.weights], self.steps - 1)

    def run(self, steps: int) -> None:
        """Train to a number of steps.

        Args:
            steps: The number of steps, counted from the beginning of the run.
        """
        while self.steps < steps:
            self.step()

    @torch.no_grad()
    def accuracy(self, part: Literal["validation", "test"], weights: Weights | None = None) -> list[float]:
        """Return the share of right answers of each run, in percent.

        Args:
            part: The examples to ask.
            weights: The weights to judge. Defaults to the present ones.
        """
        chosen = self.parts[1 if part == "validation" else 2]
        scores = self.workload.forward(weights or self.weights, self.data.inputs[chosen])
        return (100 * (scores.argmax(-1) == self.data.labels[chosen]).float().mean(1)).tolist()

    def _ordered(self, epoch: int) -> torch.Tensor:
        if self._order[0] != epoch:
            count = self.data.parts[0]
            chances = [torch.Generator().manual_seed(1_000 * (1 + seed) + epoch) for seed in self.seeds]
            orders = torch.stack([torch.randperm(count, generator=chance) for chance in chances])
            self._order = epoch, self.parts[0].gather(1, orders)
        return self._order[1]


@dataclass(frozen=True)
class Snapshot:
    """All that a training needs to go on from a step.

    Attributes:
        training: The training that was left.
        steps: Number of steps at that time.
        weights: Weights at that time.
        averages: Recent averages of the weights at that time.
        optimizer: State of the optimizer.
        scheduler: State of the schedule.
    """

    training: Training
    steps: int
    weights: Weights
    averages: Weights
    optimizer: dict[str, Any]
    scheduler: dict[str, Any]

    @classmethod
    def of(cls, training: Training) -> "Snapshot":
        """Copy the present state of a training."""
        weights = [weight.detach().clone() for weight in training.weights]
        averages = [average.clone() for average in training.averages]
        states = deepcopy((training.optimizer.state_dict(), training.scheduler.state_dict()))
        return cls(training, training.steps, weights, averages, *states)

    def resumed(self, rows: Sequence[int] | None = None) -> Training:
        """Return a training that goes on from here.

        Args:
            rows: Rows of the runs that go on. Defaults to all.
        """
        left, chosen = self.training, list(range(len(self.training.seeds)) if rows is None else rows)
        again = Training(left.workload, left.rate, left.schedule, [left.seeds[row] for row in chosen])
        with torch.no_grad():
            for own, kept in zip(again.weights + again.averages, self.weights + self.averages, strict=True):
                own.copy_(kept[chosen])
        optimizer = deepcopy(self.optimizer)
        for state in optimizer["state"].values():
            state.update({name: value[chosen] for name, value in state.items() if value.ndim})
        again.optimizer.load_state_dict(optimizer)
        again.scheduler.load_state_dict(deepcopy(self.scheduler))
        again.steps = self.steps
        return again


def _optimizer(name: str, weights: Weights, rate: float) -> Optimizer:
    return torch.optim.SGD(weights, rate, momentum=MOMENTUM) if name == "SGD" else torch.optim.AdamW(weights, rate)


def scheduled(name: Schedule, optimizer: Optimizer, rate: float, steps: int) -> LRScheduler:
    """Give an optimizer a schedule of its learning rate.

    Args:
        name: The schedule.
        optimizer: The optimizer.
        rate: The highest learning rate.
        steps: The steps of the plan.
    """
    if name == "cosine":
        return CosineAnnealingLR(optimizer, steps)
    if name == "OneCycle":
        return OneCycleLR(optimizer, rate, total_steps=steps + 1)
    rise = WARM_UP * steps
    if name == "linear":
        return LambdaLR(optimizer, lambda at: min((at + 1) / rise, (steps - at) / (steps - rise)))
    return LambdaLR(optimizer, lambda _: 1.0)

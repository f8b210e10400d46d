"""The ways to choose the samples of an epoch. They live in this benchmark, and the package ships none of them."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import torch
from torch import Tensor

LAST: Final = 0.125
"""Share of the cost at the end of a run in which methods by loss train on all samples. InfoBatch's own default."""
PRUNED: Final = 0.5
"""Share of the samples below the mean loss that InfoBatch leaves out. InfoBatch's own default."""
FIRST: Final = 0.1
"""Share of the cost after which the hardest half is chosen for good. By choice: two of twenty epochs."""


class Chosen(NamedTuple):
    """The samples of an epoch.

    Attributes:
        samples: Numbers of the samples, in the order of training.
        weights: Weight of the loss of each sample.
    """

    samples: Tensor
    weights: Tensor


@dataclass
class State:
    """What a method may know.

    Attributes:
        losses: The loss of each sample when training last saw it. Infinite before.
        chance: The random numbers of the run.
        spent: Share of the run's cost that is spent.
    """

    losses: Tensor
    chance: torch.Generator
    spent: float = 0.0
    kept: Tensor | None = field(default=None)

    def shuffled(self, samples: Tensor) -> Chosen:
        """Return samples in a random order, with weights of 1."""
        order = torch.randperm(len(samples), generator=self.chance)
        return Chosen(samples[order], torch.ones(len(samples)))

    @property
    def all(self) -> Tensor:
        """The numbers of all samples."""
        return torch.arange(len(self.losses))

    @property
    def hardest(self) -> Tensor:
        """The numbers of the half of the samples with the highest loss."""
        return self.losses.topk(len(self.losses) // 2).indices

    @property
    def sees_all(self) -> bool:
        """Whether methods by loss train on all samples now: in the first epoch and at the end."""
        return self.spent == 0 or self.spent >= 1 - LAST


def everything(state: State) -> Chosen:
    """Train on all samples in every epoch."""
    return state.shuffled(state.all)


def half_the_batches(state: State) -> Chosen:
    """Train on a new random half in every epoch, as ``limit_train_batches=0.5`` does."""
    samples, weights = state.shuffled(state.all)
    return Chosen(samples[: len(samples) // 2], weights[: len(samples) // 2])


def static_half(state: State) -> Chosen:
    """Train on one random half of the set."""
    return state.shuffled(state.all[: len(state.all) // 2])  # a split is in random order


def infobatch(state: State) -> Chosen:
    """Leave out half of the samples below the mean loss, and double the weight of the others below it."""
    if state.sees_all:
        return everything(state)
    low = state.losses < state.losses.mean()
    left_out = low & (torch.rand(len(low), generator=state.chance) < PRUNED)
    samples = state.shuffled(state.all[~left_out]).samples
    return Chosen(samples, torch.where(low[samples], 1 / (1 - PRUNED), 1.0))


def infobatch_of_mean_1(state: State) -> Chosen:
    """Do as InfoBatch does, with weights whose mean is 1 in every epoch."""
    samples, weights = infobatch(state)
    return Chosen(samples, weights / weights.mean())


def hard_half(state: State) -> Chosen:
    """Train on the half with the highest loss when training last saw it."""
    return everything(state) if state.sees_all else state.shuffled(state.hardest)


def hard_half_for_good(state: State) -> Chosen:
    """Train on all samples at first, and then only on the half that had the highest loss then."""
    if state.spent < FIRST:
        return everything(state)
    state.kept = state.hardest if state.kept is None else state.kept
    return state.shuffled(state.kept)

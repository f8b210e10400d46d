"""The sets that are trained on, and their networks. No set comes over the network."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Literal

import torch
from torch import Tensor, nn

WRONG_SHARE: Final = 0.2
"""Share of the training labels that are planted wrong, where labels are wrong. As in most studies of wrong labels."""
SETTLED: Final = 42
"""Seed of made signals. A run's own seed draws its split, its wrong labels, its order and its first weights."""


@dataclass(frozen=True)
class Examples:
    """All examples of a set.

    Attributes:
        inputs: Inputs, one row for each example.
        labels: Number of the class of each example.
        count: Number of examples to train on. The others are held out.
    """

    inputs: Tensor
    labels: Tensor
    count: int


@dataclass(frozen=True)
class Split:
    """The examples of one run.

    Attributes:
        inputs: Inputs to train on.
        labels: Labels to train on. Some may be wrong.
        held_out: Inputs that are held out.
        answers: Right labels of the inputs that are held out.
    """

    inputs: Tensor
    labels: Tensor
    held_out: Tensor
    answers: Tensor

    @classmethod
    def drawn(cls, examples: Examples, seed: int, *, wrong: bool) -> "Split":
        """Draw the split of a run.

        Args:
            examples: All examples.
            seed: The seed of the run.
            wrong: Whether a share of the training labels is wrong.
        """
        chance = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(examples.labels), generator=chance)
        trained, held_out = order[: examples.count], order[examples.count :]
        labels = examples.labels[trained].clone()
        split = cls(examples.inputs[trained], labels, examples.inputs[held_out], examples.labels[held_out])
        return split._with_wrong_labels(chance) if wrong else split

    def _with_wrong_labels(self, chance: torch.Generator) -> "Split":
        chosen = torch.randperm(len(self.labels), generator=chance)[: round(WRONG_SHARE * len(self.labels))]
        classes = int(self.answers.max()) + 1
        shifts = torch.randint(1, classes, (len(chosen),), generator=chance)
        labels = self.labels.clone()
        labels[chosen] = (labels[chosen] + shifts) % classes
        return replace(self, labels=labels)


@cache
def digits() -> Examples:
    """Return 1,797 images of digits, of 8 by 8 pixels, as scikit-learn ships them."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return Examples(torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels, dtype=torch.long), 1_400)


@cache
def mnist1d() -> Examples:
    """Return 6,000 signals of 40 values, which are drawn, stretched, shifted and noisy digits."""
    import numpy as np
    from mnist1d.data import get_dataset_args, make_dataset

    arguments = get_dataset_args()
    arguments.num_samples, arguments.seed = 6_000, SETTLED
    made = make_dataset(arguments)
    signals, labels = (np.concatenate([made[name], made[f"{name}_test"]]) for name in "xy")
    return Examples(torch.tensor(signals, dtype=torch.float32), torch.tensor(labels, dtype=torch.long), 4_000)


def perceptron() -> nn.Module:
    """Return a network of two dense layers for digits."""
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def convolution() -> nn.Module:
    """Return a network of three convolutions and a dense layer for signals."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 40)),
        nn.Conv1d(1, 24, 5, 2, 2), nn.ReLU(),
        nn.Conv1d(24, 24, 3, 2, 1), nn.ReLU(),
        nn.Conv1d(24, 24, 3, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(120, 10),
    )  # fmt: skip


@dataclass(frozen=True)
class Workload:
    """A set, its network, and its usual training.

    Attributes:
        examples: Returns the set.
        network: Makes the network.
        rate: The low learning rate, which others are multiples of.
        batch: Number of examples in a batch.
        epochs: Number of epochs of the whole plan.
        wrong: Whether a share of the training labels is wrong.
        optimizer: Name of the optimizer.
    """

    examples: Callable[[], Examples]
    network: Callable[[], nn.Module]
    rate: float
    batch: int = 50
    epochs: int = 40
    wrong: bool = False
    optimizer: Literal["SGD", "AdamW"] = "SGD"


_DIGITS: Final = Workload(digits, perceptron, 0.02)
_MNIST1D: Final = Workload(mnist1d, convolution, 0.015)

WORKLOADS: Final = {
    "digits": _DIGITS,
    "digits, 20 % wrong labels": replace(_DIGITS, wrong=True),
    "mnist1d": _MNIST1D,
    "mnist1d, AdamW": replace(_MNIST1D, rate=0.001, optimizer="AdamW"),
}
"""All workloads by name. At their low rates, the whole plan still learns when it ends, by experiment."""

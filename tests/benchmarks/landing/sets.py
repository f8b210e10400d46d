"""Small sets of real or made data. No set comes over the network."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor

SETTLED: Final = 0
"""Seed of made data. A run's own seed draws only its split, its order and its first weights."""


@dataclass(frozen=True)
class Data:
    """All examples of a set.

    Attributes:
        inputs: Inputs, one row for each example.
        labels: Number of the class of each example.
        parts: Number of examples to train on, to validate on and to test on.
    """

    inputs: Tensor
    labels: Tensor
    parts: tuple[int, int, int]

    def split(self, seeds: list[int]) -> tuple[Tensor, ...]:
        """Return the numbers of the examples of each part, with one row for each seed."""
        drawn = [torch.randperm(len(self.labels), generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return torch.stack(drawn)[:, : sum(self.parts)].split(self.parts, dim=1)


@cache
def digits() -> Data:
    """Return 1,797 images of digits, of 8 by 8 pixels, as scikit-learn ships them."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return _data(images / 16, labels, (1_000, 300, 497))


@cache
def clusters() -> Data:
    """Return made examples of 26 classes in 16 dimensions. A class has several clusters, some near to other classes."""
    from sklearn.datasets import make_classification

    inputs, labels = make_classification(
        n_samples=20_000, n_features=16, n_informative=16, n_redundant=0, n_classes=26, n_clusters_per_class=8,
        class_sep=4.0, flip_y=0, random_state=SETTLED,
    )  # fmt: skip
    return _data((inputs - inputs.mean(0)) / inputs.std(0), labels, (14_000, 3_000, 3_000))


@cache
def mnist1d() -> Data:
    """Return 5,000 signals of 40 values, which are drawn, stretched, shifted and noisy digits."""
    from mnist1d.data import get_dataset_args, make_dataset

    made = make_dataset(get_dataset_args())
    signals = np.concatenate([made["x"], made["x_test"]])
    return _data(signals, np.concatenate([made["y"], made["y_test"]]), (3_000, 1_000, 1_000))


def _data(inputs: np.ndarray, labels: np.ndarray, parts: tuple[int, int, int]) -> Data:
    return Data(torch.tensor(inputs, dtype=torch.float32), torch.tensor(labels, dtype=torch.long), parts)


SETS: Final[dict[str, Callable[[], Data]]] = {"digits": digits, "clusters": clusters, "mnist1d": mnist1d}

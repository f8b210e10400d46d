"""The networks that are trained, and the rates to try."""

from typing import Final

from landing.networks import convolution, perceptron
from landing.sets import clusters, digits, mnist1d
from landing.training import Workload

_DIGITS: Final = (digits, perceptron, ((64, 64), (64, 10)), 32, 40)
_CLUSTERS: Final = (clusters, perceptron, ((16, 128), (128, 26)), 128, 25)
_MNIST1D: Final = (mnist1d, convolution, ((5, 24), (72, 24), (72, 24), (120, 10)), 50, 40)
"""Data, network, inputs and outputs of its layers, examples in a batch and planned epochs."""

WORKLOADS: Final = (
    Workload("digits", "SGD", (0.1, 0.2), *_DIGITS),
    Workload("digits", "AdamW", (0.003, 0.01), *_DIGITS),
    Workload("clusters", "SGD", (0.2, 0.4), *_CLUSTERS),
    Workload("clusters", "AdamW", (0.01, 0.02), *_CLUSTERS),
    Workload("mnist1d", "SGD", (0.05, 0.1), *_MNIST1D),
    Workload("mnist1d", "AdamW", (0.01, 0.02), *_MNIST1D),
)
"""All workloads. Their rates did best among a few rates, at the end of the whole plan."""

"""Tiny networks of several runs at once. Every weight has one more dimension in front, one row for each run."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad, relu

Weights = list[Tensor]
"""The weights and biases of all runs, layer by layer."""
Forward = Callable[[Weights, Tensor], Tensor]
"""Takes weights and inputs (runs, examples, …) to the scores of the classes (runs, examples, classes)."""


def perceptron(weights: Weights, inputs: Tensor) -> Tensor:
    """Return the scores of a network of dense layers."""
    values, layers = inputs, list(zip(weights[::2], weights[1::2], strict=True))
    for weight, bias in layers[:-1]:
        values = relu(torch.baddbmm(bias, values, weight))
    return torch.baddbmm(layers[-1][1], values, layers[-1][0])


def convolution(weights: Weights, inputs: Tensor) -> Tensor:
    """Return the scores of three convolutions of every second place, and a dense layer."""
    values, layers = inputs.unsqueeze(-1), list(zip(weights[::2], weights[1::2], strict=True))
    runs, examples = inputs.shape[:2]
    for weight, bias in layers[:-1]:
        width = weight.shape[1] // values.shape[-1]
        patches = pad(values, (0, 0, width // 2, width // 2)).unfold(2, width, 2)
        places = patches.shape[2]
        dense = torch.baddbmm(bias, patches.reshape(runs, examples * places, -1), weight)
        values = relu(dense).view(runs, examples, places, -1)
    return torch.baddbmm(layers[-1][1], values.reshape(runs, examples, -1), layers[-1][0])


def drawn(shapes: Sequence[tuple[int, int]], seeds: Sequence[int]) -> Weights:
    """Draw the first weights of the runs, each by its own seed and as torch draws those of a dense layer."""
    runs = []
    for seed in seeds:
        chance = torch.Generator().manual_seed(seed)
        sizes = [(shape, wide) for wide, out in shapes for shape in ((wide, out), (1, out))]
        runs.append([(2 * torch.rand(shape, generator=chance) - 1) / math.sqrt(wide) for shape, wide in sizes])
    return [torch.stack(same).requires_grad_() for same in zip(*runs, strict=True)]

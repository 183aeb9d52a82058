"""Layers whose parameters are stacked over R independent runs, each run drawn from its own generator."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from mibounds.perceptron import perceptron


class StackedLinear(nn.Module):
    """R affine maps at once: `R x n x dim_in` -> `R x n x dim_out`.

    Glorot-uniform weights and zero biases, the initialisation of the published staircase figures. Run r draws from
    `generators[r]` alone, so it starts the same whatever else is in the stack.
    """

    def __init__(self, dim_in: int, dim_out: int, generators: Sequence[torch.Generator], bias: bool = True):
        super().__init__()
        limit = math.sqrt(6 / (dim_in + dim_out))
        drawn = [limit * (2 * torch.rand(dim_in, dim_out, generator=g) - 1) for g in generators]
        self.weight = nn.Parameter(torch.stack(drawn))
        self.bias = nn.Parameter(torch.zeros(len(drawn), 1, dim_out)) if bias else None

    def forward(self, inputs: Tensor) -> Tensor:
        if self.bias is None:
            return torch.bmm(inputs, self.weight)
        return torch.baddbmm(self.bias, inputs, self.weight)


class StackedMLP(nn.Sequential):
    """R perceptrons with ReLU between their layers: `R x n x dim_in` -> `R x n x dim_out`."""

    def __init__(
        self, dim_in: int, hidden: Sequence[int], dim_out: int, generators: Sequence[torch.Generator]
    ):
        widths = [dim_in, *hidden, dim_out]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [StackedLinear(before, after, generators), nn.ReLU()]
        super().__init__(*layers[:-1])

    def forward(self, inputs: Tensor) -> Tensor:
        layers = list(self._modules.values())[::2]
        if any(type(layer) is not StackedLinear for layer in layers):  # one was replaced
            return super().forward(inputs)
        return perceptron(inputs, *parameters_of(layers))


def parameters_of(layers: Iterable[nn.Module | None]) -> Iterator[Tensor]:
    """weight, bias, weight, bias, ..."""
    for layer in layers:
        assert isinstance(layer, StackedLinear) and layer.bias is not None
        yield layer.weight
        yield layer.bias

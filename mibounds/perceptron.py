"""Stacked perceptrons with ReLU, forward and backward by hand: what lies between two products stays in cache.

A stack is gone through in tiles, as many runs at once as the cache holds. Tiles change no number: each run is
multiplied as if it were alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import relu

from mibounds.products import product

# Numbers in one layer of a tile: on a CPU about what a core's cache holds, elsewhere as many as memory bears.
TILE_ON_CPU, TILE_ELSEWHERE = 2**18, 2**26


@dataclass(frozen=True)
class Layers:
    """Affine maps of R runs with ReLU between them: `R x dim_in x dim_out` and `R x 1 x dim_out` a layer."""

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]

    @classmethod
    def of(cls, parameters: Sequence[Tensor]) -> Layers:
        """From weight, bias, weight, bias, ..."""
        return cls(tuple(parameters[::2]), tuple(parameters[1::2]))

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        return tuple(p for layer in zip(self.weights, self.biases, strict=True) for p in layer)

    @property
    def width(self) -> int:
        """Of the widest layer, inputs and outputs among them."""
        return max(self.weights[0].shape[1], *(weight.shape[2] for weight in self.weights))

    def of_runs(self, runs: slice) -> Layers:
        if runs == slice(0, len(self.weights[0])):
            return self
        return Layers(tuple(w[runs] for w in self.weights), tuple(b[runs] for b in self.biases))


def perceptron(inputs: Tensor, *parameters: Tensor) -> Tensor:
    """`R x n x dim_in` and weight, bias, weight, bias, ... -> `R x n x dim_out`."""
    if not by_hand(inputs):
        return plain_perceptron(inputs, *parameters)
    return _Perceptron.apply(inputs, torch.is_grad_enabled(), *parameters)


def by_hand(inputs: Tensor) -> bool:
    """Whether torch leaves the operations to us: autocast and a compiler want its own."""
    return not (torch.is_autocast_enabled(inputs.device.type) or torch.compiler.is_compiling())


def plain_perceptron(inputs: Tensor, *parameters: Tensor) -> Tensor:
    """`perceptron` by torch's own operations, which can be differentiated any number of times."""
    layers = Layers.of(parameters)
    for weight, bias in zip(layers.weights[:-1], layers.biases[:-1], strict=True):
        inputs = relu(torch.baddbmm(bias, inputs, weight))
    return torch.baddbmm(layers.biases[-1], inputs, layers.weights[-1])


def tile_size(device: torch.device) -> int:
    return TILE_ON_CPU if device.type == "cpu" else TILE_ELSEWHERE


def parts(total: int, at_most: int) -> list[slice]:
    """0 .. total in as few slices of at most `at_most` as there can be, of equal length but for the last.

    >>> parts(10, 4)
    [slice(0, 4, None), slice(4, 8, None), slice(8, 10, None)]
    """
    count = max(1, -(-total // max(1, at_most)))
    length = max(1, -(-total // count))
    return [slice(start, min(total, start + length)) for start in range(0, total, length)]


def hidden_layers(inputs: Tensor, layers: Layers) -> list[Tensor]:
    """The inputs, and what each layer but the last makes of them."""
    hidden = [inputs]
    for weight, bias in zip(layers.weights[:-1], layers.biases[:-1], strict=True):
        hidden.append(product(hidden[-1], weight, bias).relu_())
    return hidden


def outputs(hidden: Sequence[Tensor], layers: Layers) -> Tensor:
    return product(hidden[-1], layers.weights[-1], layers.biases[-1])


def gradients(
    grad: Tensor, hidden: Sequence[Tensor], layers: Layers, into: Layers | None = None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Given the outputs' gradient: that of the first layer's result before ReLU, and those of all parameters."""
    found: list[Tensor] = []
    for k in reversed(range(len(hidden))):
        place = (None, None) if into is None else (into.weights[k], into.biases[k])
        of_weight = product(hidden[k].mT, grad.to(layers.weights[k].dtype), out=place[0])
        found = [of_weight, torch.sum(grad, 1, keepdim=True, out=place[1]), *found]
        if k > 0:
            grad = product(grad, layers.weights[k].mT)
            cut(grad, hidden[k])
    return grad, tuple(found)


def cut(grad: Tensor, hidden: Tensor) -> None:
    """ReLU's backward, in place: no gradient where nothing came through."""
    torch.ops.aten.threshold_backward.grad_input(grad, hidden, 0, grad_input=grad)


def differentiable_gradients(
    plain: Callable[..., Tensor], inputs: Sequence[Tensor], grad: Tensor
) -> tuple[Tensor | None, ...]:
    """A backward that can itself be differentiated; None for an input that asks for no gradient."""
    wanted = [i for i in inputs if i.requires_grad]
    found = iter(torch.autograd.grad(plain(*inputs), wanted, grad, create_graph=True))
    return tuple(next(found) if i.requires_grad else None for i in inputs)


class _Perceptron(Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, keep: bool, *parameters: Tensor) -> Tensor:
        layers = Layers.of(parameters)
        made, kept = [], []
        for runs in _stacks(inputs, layers):
            of_runs = layers.of_runs(runs)
            hidden = hidden_layers(inputs[runs], of_runs)
            made.append(outputs(hidden, of_runs))
            kept += hidden[1:] if keep else []
        ctx.save_for_backward(inputs, *parameters, *kept)
        return torch.cat(made) if len(made) > 1 else made[0]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        n_parameters = len(ctx.needs_input_grad) - 2
        inputs, *saved = ctx.saved_tensors
        parameters, kept = saved[:n_parameters], iter(saved[n_parameters:])
        if torch.is_grad_enabled():
            first, *others = differentiable_gradients(plain_perceptron, (inputs, *parameters), grad)
            return first, None, *others
        layers = Layers.of(parameters)
        stacks = _stacks(inputs, layers)
        # One tile's gradients are all there are; those of several are put where they belong while in cache.
        into = Layers.of([torch.empty_like(p) for p in parameters]) if len(stacks) > 1 else None
        of_inputs = []
        for runs in stacks:
            of_runs = layers.of_runs(runs)
            hidden = [inputs[runs], *(next(kept) for _ in parameters[2::2])]
            below, found = gradients(grad[runs], hidden, of_runs, into and into.of_runs(runs))
            if ctx.needs_input_grad[0]:
                of_inputs.append(product(below, of_runs.weights[0].mT))
        return (torch.cat(of_inputs) if of_inputs else None), None, *(into.parameters if into else found)


def _stacks(inputs: Tensor, layers: Layers) -> list[slice]:
    """Runs that go together."""
    return parts(len(inputs), tile_size(inputs.device) // max(1, inputs.shape[1] * layers.width))

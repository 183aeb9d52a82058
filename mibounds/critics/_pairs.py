"""One network on all pairs of a batch, forward and backward by hand: as many pairs at once as the cache holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import relu

from mibounds.perceptron import (
    Layers,
    by_hand,
    cut,
    differentiable_gradients,
    gradients,
    hidden_layers,
    outputs,
    parts,
    plain_perceptron,
    tile_size,
)
from mibounds.products import product

# Numbers of hidden layers that the forward pass keeps; the backward pass makes the others again.
KEPT = 2**27


class _Tile(NamedTuple):
    """Pairs that go together: these rows of x with these columns of y, of some runs."""

    runs: slice
    rows: slice
    columns: slice


def pair_scores(from_x: Tensor, from_y: Tensor, products: torch.dtype | None, *parameters: Tensor) -> Tensor:
    """scores[r, i, j] = MLP_r(relu(from_x[r, i] + from_y[r, j])): `R x n x h`, `R x m x h` -> `R x n x m`.

    Args:
        products: the precision of products from hidden layer to hidden layer; None for that of the weights.
        parameters: weight, bias, weight, bias, ... of the perceptron from `h` to 1.
    """
    if not by_hand(from_x):
        return plain_pair_scores(from_x, from_y, *parameters)
    return _PairScores.apply(from_x, from_y, products, torch.is_grad_enabled(), *parameters)


def plain_pair_scores(from_x: Tensor, from_y: Tensor, *parameters: Tensor) -> Tensor:
    """`pair_scores` by torch's own operations, with the hidden layers of all pairs in memory."""
    pairs = relu(from_x.unsqueeze(2) + from_y.unsqueeze(1))
    return plain_perceptron(pairs.flatten(1, 2), *parameters).view(pairs.shape[:3])


class _PairScores(Function):
    @staticmethod
    def forward(
        ctx: Any,
        from_x: Tensor,
        from_y: Tensor,
        products: torch.dtype | None,
        keep: bool,
        *parameters: Tensor,
    ) -> Tensor:
        layers = _multiplied_in(products, Layers.of(parameters))
        scores = from_x.new_empty(*from_x.shape[:2], from_y.shape[1])
        kept: list[Tensor] = []
        room = KEPT if keep else 0
        for tile in _tiles(from_x, from_y, layers):
            of_runs = layers.of_runs(tile.runs)
            hidden = hidden_layers(_first_hidden(from_x, from_y, tile), of_runs)
            scores[tile] = outputs(hidden, of_runs).view_as(scores[tile])
            room -= sum(layer.numel() for layer in hidden[1:])
            kept += hidden[1:] if room >= 0 else []
        ctx.products = products
        ctx.save_for_backward(from_x, from_y, *parameters, *kept)
        return scores

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        n_inputs = len(ctx.needs_input_grad) - 2
        inputs, kept = ctx.saved_tensors[:n_inputs], ctx.saved_tensors[n_inputs:]
        found: Sequence[Tensor | None]
        if torch.is_grad_enabled():
            found = differentiable_gradients(plain_pair_scores, inputs, grad)
        else:
            found = _gradients(grad, inputs, ctx.products, kept)
        return *found[:2], None, None, *found[2:]


def _gradients(
    grad: Tensor, inputs: Sequence[Tensor], products: torch.dtype | None, kept: Sequence[Tensor]
) -> list[Tensor]:
    """Of all inputs, tile by tile."""
    from_x, from_y, *parameters = inputs
    layers = _multiplied_in(products, Layers.of(parameters))
    of_x, of_y, *of_parameters = of_inputs = [torch.zeros_like(i) for i in inputs]
    n_kept = len(layers.weights) - 1
    for k, tile in enumerate(_tiles(from_x, from_y, layers)):
        of_runs, of_scores = layers.of_runs(tile.runs), grad[tile]
        first = _first_hidden_across(from_x, from_y, tile)
        others = kept[k * n_kept : (k + 1) * n_kept]
        if len(others) < n_kept:
            others = hidden_layers(_first_hidden(from_x, from_y, tile), of_runs)[1:]
        below, of_tile = gradients(of_scores.flatten(1).unsqueeze(2), [first.mT, *others], of_runs)
        for place, found in zip(of_parameters, of_tile, strict=True):
            place[tile.runs] += found
        of_first = product(of_runs.weights[0], below.mT)
        cut(of_first, first)
        of_first = of_first.unflatten(2, of_scores.shape[1:])
        of_x[tile.runs, tile.rows] += of_first.sum(3).mT
        of_y[tile.runs, tile.columns] += of_first.sum(2).mT
    return of_inputs


def _first_hidden(from_x: Tensor, from_y: Tensor, tile: _Tile) -> Tensor:
    """`r x pairs x h` of the tile's pairs."""
    of_x, of_y = from_x[tile.runs, tile.rows], from_y[tile.runs, tile.columns]
    return (of_x.unsqueeze(2) + of_y.unsqueeze(1)).relu_().flatten(1, 2)


def _first_hidden_across(from_x: Tensor, from_y: Tensor, tile: _Tile) -> Tensor:
    """The same as `r x h x pairs`, which a weight's gradient is a product of."""
    of_x, of_y = (
        side.mT.contiguous() for side in (from_x[tile.runs, tile.rows], from_y[tile.runs, tile.columns])
    )
    return (of_x.unsqueeze(3) + of_y.unsqueeze(2)).relu_().flatten(2)


def _multiplied_in(precision: torch.dtype | None, layers: Layers) -> Layers:
    """The layers, with the weights from hidden layer to hidden layer in that precision."""
    between = [weight if precision is None else weight.to(precision) for weight in layers.weights[:-1]]
    return Layers((*between, layers.weights[-1]), layers.biases)


def _tiles(from_x: Tensor, from_y: Tensor, layers: Layers) -> Iterator[_Tile]:
    """All pairs of all runs. How a run's pairs are split goes by n, m and the widths alone."""
    pairs = tile_size(from_x.device) // layers.width
    all_columns = parts(from_y.shape[1], pairs)
    all_rows = parts(from_x.shape[1], pairs // max(1, from_y.shape[1]))
    all_runs = parts(len(from_x), pairs // max(1, from_x.shape[1] * from_y.shape[1]))
    return (_Tile(runs, rows, columns) for runs in all_runs for rows in all_rows for columns in all_columns)

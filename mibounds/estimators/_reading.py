"""Reading a bound from a fold: its value on equal batches, and how far that value may be from its expectation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from mibounds.bounds import Bound
from mibounds.statistics import jackknife_interval

MOST_GROUPS = 40

Inputs = tuple[Tensor, ...]


def mean_value(bound: Bound, batches: Sequence[Inputs]) -> float:
    """The mean of `bound` over equal batches of inputs (scores `n x n`, log-baseline `n`), in nats."""
    return torch.stack([bound(*inputs) for inputs in batches]).mean().item()


def value_and_interval(
    bound: Bound, batches: Sequence[Inputs], confidence: float, less: Sequence[Inputs] = ()
) -> tuple[float, tuple[float, float]]:
    """The mean value over the batches and its delete-a-group jackknife interval, in nats; or what it is above `less`.

    `less` are batches of the same pairs by another critic, whose value is taken off, so that the interval is of the
    difference.

    Scores of one batch depend on each other along rows and along columns, since each row is a pair's x and each column
    a pair's y. What is independent are the pairs, so a group of pairs is deleted with its rows and its columns, from
    all batches alike. About 40 groups; Student's t with a degree of freedom less than there are.

    The interval is of the bound's expectation for these fixed scores' critic on batches of this size: it does not
    reach up to the MI where the bound is loose. It is centred on the value itself, not on the jackknife's
    bias-corrected one: a ceiling of ln n shifts with n, and correcting for that would lift the value over it.
    """

    def value_of(inputs: Callable[[Inputs], Inputs]) -> float:
        taken_off = mean_value(bound, [*map(inputs, less)]) if less else 0.0
        return mean_value(bound, [*map(inputs, batches)]) - taken_off

    value = value_of(lambda inputs: inputs)
    n = batches[0][0].shape[-1]
    size = -(-n // MOST_GROUPS)
    left_out = [value_of(partial(_without, g * size, size)) for g in range(n // size)]
    corrected = jackknife_interval(value, left_out, confidence)
    reach = (corrected.high - corrected.low) / 2
    return value, (value - reach, value + reach)


def _without(start: int, size: int, inputs: Inputs) -> Inputs:
    """The inputs of a batch without `size` pairs from `start` on."""
    n = inputs[0].shape[-1]
    kept = torch.cat([torch.arange(start), torch.arange(start + size, n)]).to(inputs[0].device)
    scores, *log_baseline = inputs
    return scores[kept][:, kept], *(b[kept] for b in log_baseline)

"""Reading a bound from a fold: its value on equal batches, and how far that value may be from its expectation."""

from __future__ import annotations

from collections.abc import Sequence

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
    bound: Bound, batches: Sequence[Inputs], confidence: float
) -> tuple[float, tuple[float, float]]:
    """The mean value over the batches and its delete-a-group jackknife interval, in nats.

    Scores of one batch depend on each other along rows and along columns, since each row is a pair's x and each column
    a pair's y. What is independent are the pairs, so a group of pairs is deleted with its rows and its columns, from
    all batches alike. About 40 groups; Student's t with a degree of freedom less than there are.

    The interval is of the bound's expectation for these fixed scores' critic on batches of this size: it does not
    reach up to the MI where the bound is loose. It is centred on the value itself, not on the jackknife's
    bias-corrected one: a ceiling of ln n shifts with n, and correcting for that would lift the value over it.
    """
    value = mean_value(bound, batches)
    n = batches[0][0].shape[-1]
    size = -(-n // MOST_GROUPS)
    left_out = [mean_value(bound, [_without(g * size, size, i) for i in batches]) for g in range(n // size)]
    corrected = jackknife_interval(value, left_out, confidence)
    reach = (corrected.high - corrected.low) / 2
    return value, (value - reach, value + reach)


def _without(start: int, size: int, inputs: Inputs) -> Inputs:
    """The inputs of a batch without `size` pairs from `start` on."""
    n = inputs[0].shape[-1]
    kept = torch.cat([torch.arange(start), torch.arange(start + size, n)]).to(inputs[0].device)
    scores, *log_baseline = inputs
    return scores[kept][:, kept], *(b[kept] for b in log_baseline)

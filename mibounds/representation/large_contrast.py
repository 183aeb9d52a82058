"""Softmax losses over so many candidates that their scores are not held: the same values and gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mibounds.partition import (
    Block,
    mean_log_partition,
    mean_log_partition_both_ways,
    mean_log_partition_in_ring,
    mean_log_partition_of_pairs,
)
from mibounds.representation.contrast import Arrangement, available, require_negatives

# From here on it is faster, on a core, than the matrix: half the time for 1,024 anchors and as many candidates.
LARGE = 2**20


def is_large(arrangement: Arrangement, batch_size: int) -> bool:
    """Whether the matrix of all scores is better not made."""
    views = 2 if arrangement == "two-view" else 1
    return (views * batch_size) ** 2 >= LARGE


def softmax_loss(
    z_a: Tensor,
    z_b: Tensor,
    temperature: Tensor | float,
    arrangement: Arrangement = "one-way",
    n_negatives: Sequence[int | None] | None = None,
    with_positive: bool = True,
) -> Tensor:
    """mean_i [ ln sum_j e^(s_ij) - s_i+ ], the candidates j those of `contrast`, the positive among them or not.

    Args:
        z_a, z_b, temperature, arrangement, n_negatives: see `contrast`.

    Returns: `R`.

    Raises: ParameterError.

    Example:
        >>> z = torch.eye(3).unsqueeze(0)
        >>> softmax_loss(z, z, temperature=0.5)
        tensor([0.2395])
    """
    runs, n, _ = z_a.shape
    counts = require_negatives(n_negatives or [None] * runs, arrangement, n)
    taus = temperature if isinstance(temperature, Tensor) else z_a.new_tensor(temperature).expand(runs, 1, 1)
    losses = [
        _loss(a, b, tau, arrangement, k, with_positive)
        for a, b, tau, k in zip(z_a.split(1), z_b.split(1), taus.split(1), counts, strict=True)
    ]
    return torch.cat(losses)


def softmax_loss_in_ring(
    z_a: Tensor,
    z_b: Tensor,
    temperature: Tensor | float,
    arrangement: Arrangement = "one-way",
    with_positive: bool = True,
) -> Tensor:
    """The same over the rows that all processes hold, each its own: the mean over this one's anchors, `R`.

    The mean over processes is the loss; its gradients are right where that is what is minimised.
    """
    tau = temperature if isinstance(temperature, Tensor) else z_a.new_tensor(temperature).view(1, 1, 1)
    positives = ((z_a * z_b).sum(-1) / tau.squeeze(-1)).mean(-1)
    if arrangement == "two-view":
        both, skip = torch.cat([z_a, z_b], dim=1), (0,) if with_positive else (0, z_a.shape[1])
        return mean_log_partition_in_ring(both / tau, both, skip)[0] - positives
    ways = [(z_a, z_b), (z_b, z_a)][: 1 + (arrangement == "symmetric")]
    means = [mean_log_partition_in_ring(q / tau, k, () if with_positive else (0,))[0] for q, k in ways]
    return torch.stack(means).mean(0) - positives


def _loss(a: Tensor, b: Tensor, tau: Tensor, arrangement: Arrangement, k: int, with_positive: bool) -> Tensor:
    """One run's."""
    positives = ((a * b).sum(-1) / tau.squeeze(-1)).mean(-1)
    everyone = k == available(arrangement, a.shape[1])
    if arrangement == "one-way":
        return _one_way(a / tau, b, k, with_positive) - positives
    if arrangement == "two-view":
        of_views = _all_of_both_views if everyone else _some_of_both_views
        return of_views(a, b, tau, k, with_positive) - positives
    if everyone and with_positive:
        return mean_log_partition_both_ways(a / tau, b)[0] - positives
    ways = _one_way(a / tau, b, k, with_positive) + _one_way(b / tau, a, k, with_positive)
    return ways / 2 - positives


def _one_way(anchors: Tensor, keys: Tensor, k: int, with_positive: bool) -> Tensor:
    return mean_log_partition(anchors, [_nearest(keys, k, with_positive)])[0]


def _nearest(keys: Tensor, k: int, with_own: bool) -> Block:
    """The own key, or not, and the k that follow."""
    return Block(keys, first=0, count=k + 1) if with_own else Block(keys, first=1, count=k)


def _all_of_both_views(a: Tensor, b: Tensor, tau: Tensor, k: int, with_positive: bool) -> Tensor:
    both = torch.cat([a, b], dim=1) / tau.sqrt()
    return mean_log_partition_of_pairs(both, (0,) if with_positive else (0, a.shape[1]))[0]


def _some_of_both_views(a: Tensor, b: Tensor, tau: Tensor, k: int, with_positive: bool) -> Tensor:
    """Of 2n - 2 negatives in the order other view, own view, other view ... the first k."""
    ways = [
        mean_log_partition(
            own / tau, [_nearest(other, (k + 1) // 2, with_positive), _nearest(own, k // 2, False)]
        )[0]
        for own, other in ((a, b), (b, a))
    ]
    return sum(ways[1:], ways[0]) / 2

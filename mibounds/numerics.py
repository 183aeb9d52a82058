"""Reductions of score matrices that stay exact, in value and in gradient, at any finite score.

Shapes: `scores` is `... x n x n` with the positive pairs on the diagonal; leading dimensions are a stack of
independent runs. Results drop the last two dimensions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, one_hot

from mibounds.errors import ShapeError


def require_scores(scores: Tensor) -> Tensor:
    """`scores` itself if it is `... x n x n` with n >= 2, else ShapeError."""
    if scores.ndim < 2 or scores.shape[-1] != scores.shape[-2] or scores.shape[-1] < 2:
        raise ShapeError(
            f"scores must be ... x n x n with n >= 2 (positives on the diagonal); got {tuple(scores.shape)}"
        )
    return scores


def positives(scores: Tensor) -> Tensor:
    """The scores of the positive pairs: `... x n x n` -> `... x n`."""
    return require_scores(scores).diagonal(dim1=-2, dim2=-1)


def log_mean_exp(values: Tensor, dim: int | tuple[int, ...] = -1) -> Tensor:
    """ln of the mean of e^values along `dim`; never overflows."""
    dims = (dim,) if isinstance(dim, int) else dim
    count = math.prod(values.shape[d] for d in dims)
    return torch.logsumexp(values, dim=dims) - math.log(count)


def guarded_exp(values: Tensor) -> Tensor:
    """e^values, continued along its tangent where a mean of such terms would overflow the dtype.

    Exact up to e^60 (float32) or e^600 (float64). Beyond, the true value cannot be stored; the tangent keeps
    value and gradient finite, increasing and astronomically large, so that a bound that blows up is seen and
    not NaN.
    """
    limit = 600.0 if values.dtype == torch.float64 else 60.0
    return values.clamp(max=limit).exp() * (1 + (values - limit).clamp(min=0))


def negatives_only(scores: Tensor, fill: float = -math.inf) -> Tensor:
    """A copy of `scores` with the positives replaced by `fill`; the caller's scores stay as they are."""
    diagonal = torch.eye(require_scores(scores).shape[-1], dtype=torch.bool, device=scores.device)
    return scores.masked_fill(diagonal, fill)


def off_diagonal_log_mean_exp(scores: Tensor) -> Tensor:
    """ln of the mean of e^score over the n (n - 1) negative pairs: the log-partition of a batch."""
    n = scores.shape[-1]
    return torch.logsumexp(negatives_only(scores), dim=(-2, -1)) - math.log(n * (n - 1))


def off_diagonal_mean(values: Tensor) -> Tensor:
    """Mean over the n (n - 1) negative pairs."""
    n = values.shape[-1]
    return negatives_only(values, 0.0).sum(dim=(-2, -1)) / (n * (n - 1))


def leave_one_out_log_mean_exp(scores: Tensor) -> Tensor:
    """Entry [i, k] is ln of the mean of e^scores[i, j] over j != k: `... x n x n` -> `... x n x n`.

    Subtracting e^score from its row's sum is safe for all but the row's largest score, since the largest
    stays in the sum; for that one the sum is taken again without it.
    """
    n = require_scores(scores).shape[-1]
    largest = one_hot(scores.argmax(-1), n).bool()
    log_sum = torch.logsumexp(scores, dim=-1, keepdim=True)
    log_sum_without_largest = torch.logsumexp(scores.masked_fill(largest, -math.inf), dim=-1, keepdim=True)
    # The fill keeps log1p and its gradient finite at the entries that torch.where discards.
    log_share = (scores - log_sum).masked_fill(largest, -1.0)
    others = log_sum + torch.log1p(-log_share.exp())
    return torch.where(largest, log_sum_without_largest, others) - math.log(n - 1)


def log_mix(log_a: Tensor, log_b: Tensor, weight: float) -> Tensor:
    """ln(weight a + (1 - weight) b) for 0 <= weight <= 1, elementwise; exact at both ends."""
    log_weights = log_a.new_tensor([weight, 1 - weight]).log()
    return torch.logaddexp(log_a + log_weights[0], log_b + log_weights[1])


def log_softplus(values: Tensor) -> Tensor:
    """ln ln(1 + e^values): stays exact far below zero, where softplus underflows and this is `values`."""
    limit = -40.0  # softplus(x) = e^x to the last bit of float64 below it
    softplus = -logsigmoid(-values.clamp(min=limit))
    return torch.where(values < limit, values, softplus.log())


def require_baseline(scores: Tensor, log_baseline: tuple[Tensor, ...]) -> Tensor:
    """The one log-baseline, `... x n`, of a bound that needs it, else ShapeError."""
    expected = tuple(require_scores(scores).shape[:-1])
    if len(log_baseline) != 1 or log_baseline[0].shape != expected:
        got = [tuple(baseline.shape) for baseline in log_baseline] or "none"
        raise ShapeError(f"expected scores and one log_baseline of shape {expected}; got {got}")
    return log_baseline[0]


def product_of_marginals(joint: Tensor) -> Tensor:
    """p(x) p(y) of a finite law: `a x b` -> `a x b`."""
    return joint.sum(1, keepdim=True) * joint.sum(0)

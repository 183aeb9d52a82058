"""Leave-one-out: an upper bound whose marginal p(y) is a mixture of the batch's other conditionals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.bounds.base import Bound
from mibounds.numerics import negatives_only, positives


@dataclass(frozen=True)
class LeaveOneOut(Bound):
    """Leave-one-out: mean_i [ ln p(y_i|x_i) - ln mean_(j != i) p(y_i|x_j) ].

    Takes scores[i, j] = ln p(y_j | x_i) up to any c(y). With the true conditional it is an upper bound in
    expectation, since the logarithm of the mean under-estimates ln p(y); it approaches the MI as n grows.

    References: Poole et al. 2019, the minibatch upper bound.

    Example:
        >>> LeaveOneOut()(torch.tensor([[-1.0, -4.0], [-3.0, -2.0]]))
        tensor(2.)
    """

    name = "leave_one_out"
    direction = "upper"
    validity = "bound in expectation"
    invariances = frozenset({"constant", "columns"})
    takes = "log_conditional"
    trainable = False
    references = ("Poole et al. 2019, arXiv:1905.06922",)

    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        log_marginal = negatives_only(scores).logsumexp(-2) - math.log(scores.shape[-1] - 1)
        return (positives(scores) - log_marginal).mean(-1)

    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        log_marginal = torch.logsumexp(scores + joint.sum(1, keepdim=True).log(), dim=0)
        return (joint * scores).sum() - (joint.sum(0) * log_marginal).sum()

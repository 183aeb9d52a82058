"""CLUB: an upper bound from the conditional log-density."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mibounds.bounds.base import Bound
from mibounds.numerics import off_diagonal_mean, positives, product_of_marginals


@dataclass(frozen=True)
class CLUB(Bound):
    """CLUB: E_p[ln p(y|x)] - E_q[ln p(y|x)], q = p(x) p(y): the MI plus KL(q || p).

    Takes scores[i, j] = ln p(y_j | x_i) up to any c(y). With the true conditional it is an unbiased upper
    bound, never tight unless x and y are independent; with a fitted conditional it is a bound only if the fit
    is good.

    References: Cheng et al. 2020, the CLUB estimator; here over the off-diagonal pairs alone, which is unbiased.

    Example:
        >>> import torch
        >>> CLUB()(torch.tensor([[-1.0, -4.0], [-3.0, -2.0]]))
        tensor(2.)
    """

    name = "club"
    direction = "upper"
    validity = "bound in expectation"
    invariances = frozenset({"constant", "rows", "columns"})
    takes = "log_conditional"
    trainable = False
    tight = False
    references = ("Cheng et al. 2020, arXiv:2006.12013",)

    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return positives(scores).mean(-1) - off_diagonal_mean(scores)

    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return ((joint - product_of_marginals(joint)) * scores).sum()

"""The JSD bound Xi: the least MI that a Jensen-Shannon divergence leaves possible."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.bounds.base import Bound
from mibounds.bounds.jensen_shannon import JensenShannon
from mibounds.numerics import (
    log_mean_exp,
    log_softplus,
    off_diagonal_log_mean_exp,
    positives,
    product_of_marginals,
)


@dataclass(frozen=True)
class JSDXi(Bound):
    """Xi(L), L = ln 2 + (1/2) E_p[ln sigmoid(f)] + (1/2) E_q[ln sigmoid(-f)], q = p(x) p(y).

    L is at most the Jensen-Shannon divergence of p and q, with equality at f = ln r, and Xi(JSD) is the
    smallest KL divergence that any two laws with that JSD can have: Xi inverts k -> JSD(Bernoulli(1),
    Bernoulli(e^-k)). Even at the best critic the value lies below the MI unless the laws are that extreme; it
    has no ceiling and low variance. Xi being convex, a batch's expectation exceeds the population value.
    Below L = 0, where the paper leaves Xi undefined, the same formula is continued to k < 0, so that a bad
    critic reads negative instead of clipped.

    References: Dorent et al. 2025, theorem 4.1.

    Example:
        >>> scores = torch.tensor([[9.0, -9.0], [-9.0, 9.0]])
        >>> round(JSDXi()(scores).item(), 3), round(JSDXi()(-scores).item(), 3)
        (10.773, -17.0)
    """

    name = "jsd_xi"
    direction = "lower"
    validity = "plug-in"
    tight = False
    references = ("Dorent et al. 2025, arXiv:2510.20644",)

    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        loss_p = log_mean_exp(log_softplus(-positives(scores)))
        loss_q = off_diagonal_log_mean_exp(log_softplus(scores))
        return _xi(torch.logaddexp(loss_p, loss_q) - math.log(2))

    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        loss_p = torch.logsumexp(log_softplus(-scores) + joint.log(), dim=(0, 1))
        loss_q = torch.logsumexp(log_softplus(scores) + product_of_marginals(joint).log(), dim=(0, 1))
        return _xi(torch.logaddexp(loss_p, loss_q) - math.log(2))

    @property
    def trained_as(self) -> Bound:
        return JensenShannon()


def _log_gap(k: Tensor) -> Tensor:
    """ln( ln 2 - JSD(Bernoulli(1), Bernoulli(e^-k)) ) = ln (1/2)( ln(1 + e^-k) + e^-k ln(1 + e^k) )."""
    return torch.logaddexp(log_softplus(-k), log_softplus(k) - k) - math.log(2)


def _xi(log_gap: Tensor) -> Tensor:
    """The k at which `_log_gap(k) = log_gap`: L would saturate at ln 2, the logarithm of its gap does not.

    `_log_gap` is concave and falling, so Newton's steps come down on the root from the right after the first.
    """
    with torch.no_grad():
        k = torch.where(log_gap > -1, 1 - 2 * log_gap.exp(), -log_gap)
        for _ in range(12):
            k = k - (_log_gap(k) - log_gap) / _log_gap_slope(k)
    # One more step, this one seen by autograd: the implicit function's derivative, 1 / slope.
    return k - (_log_gap(k) - log_gap) / _log_gap_slope(k)


def _log_gap_slope(k: Tensor) -> Tensor:
    """d _log_gap / dk = -(1/2) e^-k ln(1 + e^k) / gap."""
    return -torch.exp(log_softplus(k) - k - math.log(2) - _log_gap(k))

"""FLO: a bound for each single pair, by Fenchel-Legendre duality."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.bounds.base import Bound
from mibounds.bounds.tuba import TUBA
from mibounds.numerics import guarded_exp


@dataclass(frozen=True)
class FLO(Bound):
    """FLO: 1 - E_p[ u(x, y) + e^(-u(x, y)) E_y'[e^(f(x, y') - f(x, y))] ], y' an independent draw.

    -u is meant to learn ln r. Written with the log-baseline b_i = u(x_i, y_i) + f(x_i, y_i) it is, on a
    batch, TUBA with a baseline that sees the positive pair. Since y' is independent of the pair, it is valid
    in expectation for every f and u; at best u it is E_p[f] - E_p[ln E_y' e^f], tight at f = ln r + c(x), b =
    c(x).

    Raises: ShapeError unless called with one log_baseline, `... x n`.

    References: Guo et al. 2022, the FLO estimator.

    Example:
        >>> scores = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
        >>> u = torch.tensor([-2.0, -2.0])
        >>> FLO()(scores, u + scores.diagonal())
        tensor(2.)
    """

    name = "flo"
    direction = "lower"
    validity = "bound in expectation"
    baseline = "pair"
    references = ("Guo et al. 2022, arXiv:2107.01131",)

    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return TUBA()(scores, *log_baseline)

    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        log_partition = torch.logsumexp(scores + joint.sum(0).log(), dim=1, keepdim=True)
        pointwise = scores - log_baseline[0] - guarded_exp(log_partition - log_baseline[0]) + 1
        return (joint * pointwise).sum()

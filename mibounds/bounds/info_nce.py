"""InfoNCE: pick the positive out of K candidates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.bounds.base import Bound
from mibounds.numerics import log_mean_exp, positives


@dataclass(frozen=True)
class InfoNCE(Bound):
    """InfoNCE: mean_i [ f(x_i, y_i) - ln (1/K) sum_j e^f(x_i, y_j) ].

    The positive is counted among the K = n candidates. Tight while ln K is well above the MI; it can never
    say more than ln K, whatever the critic, and its gap is ruled by E_p[p(x,y)/p(x)p(y)]. Low variance.
    Normalised along rows, so it finds the density ratio only up to c(x).

    References: van den Oord, Li and Vinyals 2018, eq. 4 and 5; Poole et al. 2019, eq. 12.

    Example:
        >>> scores = torch.tensor([[9.0, 0.0], [0.0, 9.0]])
        >>> round(InfoNCE()(scores).item(), 4), round(InfoNCE().ceiling(2), 4)
        (0.693, 0.6931)
    """

    name = "info_nce"
    direction = "lower"
    validity = "bound in expectation"
    invariances = frozenset({"constant", "rows"})
    references = ("van den Oord et al. 2018, arXiv:1807.03748", "Poole et al. 2019, arXiv:1905.06922")

    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return (positives(scores) - log_mean_exp(scores)).mean(-1)

    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        p_x, p_y = joint.sum(1), joint.sum(0)
        log_partition = torch.logsumexp(scores + p_y.log(), dim=1)
        return (joint * scores).sum() - (p_x * log_partition).sum()

    def ceiling(self, batch_size: int) -> float:
        return math.log(batch_size)

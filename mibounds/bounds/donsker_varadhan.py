"""Donsker-Varadhan: the tightest bound a critic gives, with one log-partition for all pairs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.bounds.base import Bound
from mibounds.numerics import off_diagonal_log_mean_exp, positives, product_of_marginals


@dataclass(frozen=True)
class DonskerVaradhan(Bound):
    """Donsker-Varadhan: E_p[f] - ln E_q[e^f], q = p(x) p(y).

    The population value is a lower bound, tight at f = ln r + c. A batch puts a finite mean inside the
    logarithm, which by Jensen lifts the expectation: on small batches and high MI even a perfect critic
    over-estimates.

    References: Donsker and Varadhan 1983; Belghazi et al. 2018, eq. 2.
    """

    name = "donsker_varadhan"
    direction = "lower"
    validity = "plug-in"
    invariances = frozenset({"constant"})
    references = ("Donsker and Varadhan 1983", "Belghazi et al. 2018, arXiv:1801.04062")

    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return positives(scores).mean(-1) - off_diagonal_log_mean_exp(scores)

    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        log_product = product_of_marginals(joint).log()
        return (joint * scores).sum() - torch.logsumexp(scores + log_product, dim=(0, 1))

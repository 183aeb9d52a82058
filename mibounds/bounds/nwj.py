"""NWJ: Nguyen, Wainwright and Jordan's bound, linear in the partition and hence unbiased."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mibounds.bounds.base import Bound
from mibounds.numerics import guarded_exp, off_diagonal_log_mean_exp, positives, product_of_marginals


@dataclass(frozen=True)
class NWJ(Bound):
    """NWJ (also f-GAN KL, MINE-f): E_p[f] - E_q[e^(f-1)], q = p(x) p(y).

    Unbiased and valid in expectation for every critic, tight at f = 1 + ln r; its variance grows like e^I.

    References: Nguyen, Wainwright and Jordan 2010; Nowozin et al. 2016; Poole et al. 2019, eq. 6.
    """

    name = "nwj"
    direction = "lower"
    validity = "bound in expectation"
    references = ("Nguyen et al. 2010, arXiv:0809.0853", "Poole et al. 2019, arXiv:1905.06922")

    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return positives(scores).mean(-1) - guarded_exp(off_diagonal_log_mean_exp(scores) - 1)

    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return (joint * scores).sum() - (product_of_marginals(joint) * guarded_exp(scores - 1)).sum()

    def optimal_scores(self, log_density_ratio: Tensor) -> Tensor:
        return 1 + log_density_ratio

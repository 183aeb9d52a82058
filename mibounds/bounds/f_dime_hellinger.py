"""HD-DIME: the log density ratio by the squared Hellinger distance's variational form."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mibounds.bounds._density_ratio import DensityRatioPlugIn
from mibounds.numerics import guarded_exp, log_mean_exp, off_diagonal_log_mean_exp, positives


@dataclass(frozen=True)
class FDimeHellinger(DensityRatioPlugIn):
    """Read as E_p[f]; trained on 2 - E_p[e^(-f/2)] - E_q[e^(f/2)], whose optimum is f = ln r, q = p(x) p(y).

    Both terms meet only the root of the density ratio, hence a variance well below KL-DIME's.

    References: Letizia, Novello and Tonello 2024, HD-DIME.

    Example:
        >>> import torch
        >>> FDimeHellinger().objective(torch.zeros(2, 2))
        tensor(0.)
    """

    name = "f_dime_hellinger"
    references = ("Letizia et al. 2024, arXiv:2305.20025",)

    def objective(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        over_p = guarded_exp(log_mean_exp(-positives(scores) / 2))
        over_q = guarded_exp(off_diagonal_log_mean_exp(scores / 2))
        return 2 - over_p - over_q

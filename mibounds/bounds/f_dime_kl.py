"""KL-DIME: the log density ratio by the Kullback-Leibler divergence's variational form."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mibounds.bounds._density_ratio import DensityRatioPlugIn
from mibounds.numerics import guarded_exp, off_diagonal_log_mean_exp, positives


@dataclass(frozen=True)
class FDimeKL(DensityRatioPlugIn):
    """Read as E_p[f]; trained on E_p[f] - E_q[e^f] + 1, whose optimum is f = ln r, q = p(x) p(y).

    The objective is NWJ's at 1 + f, variance and all; the value read leaves out the noisy term, and with it
    the bound.

    References: Letizia, Novello and Tonello 2024, KL-DIME.

    Example:
        >>> import torch
        >>> scores = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
        >>> FDimeKL()(scores + 1), FDimeKL().objective(scores)
        (tensor(3.), tensor(2.))
    """

    name = "f_dime_kl"
    references = ("Letizia et al. 2024, arXiv:2305.20025",)

    def objective(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return positives(scores).mean(-1) - guarded_exp(off_diagonal_log_mean_exp(scores)) + 1

"""InfoNCE with an anchor class: pick the positive out of K candidates, or say that there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.bounds._density_ratio import DensityRatioPlugIn
from mibounds.errors import ParameterError
from mibounds.numerics import leave_one_out_log_mean_exp, off_diagonal_mean, positives


@dataclass(frozen=True)
class InfoNCEAnchor(DensityRatioPlugIn):
    """Read as E_p[f]; trained to tell which of K candidates goes with x, class 0 being "none of them":

        K/(K + nu) E[ f_1 - ln(nu + sum_k e^f_k) ] + nu/(K + nu) E[ ln nu - ln(nu + sum_k e^f_k) ],

    the first over one positive and K - 1 negatives, the second over K negatives. The class without a positive
    fixes the scale: the optimum is f = ln r, where InfoNCE finds ln r only up to c(x). A batch of n pairs
    gives K = n - 1; each negative of a row is left out of the first term in turn.

    Args:
        anchor_weight: nu of the paper, > 0, the anchor's prior weight beside K positives.

    Raises: ParameterError if anchor_weight is not above 0.

    References: Ryu et al. 2025, the InfoNCE-anchor objective.

    Example:
        >>> scores = torch.tensor([[3.0, -3.0], [-3.0, 3.0]])
        >>> InfoNCEAnchor()(scores), round(InfoNCEAnchor().objective(scores).item(), 4)
        (tensor(3.), -0.0486)
    """

    anchor_weight: float = 1.0

    name = "info_nce_anchor"
    references = ("Ryu et al. 2025, arXiv:2510.25983",)

    def __post_init__(self) -> None:
        if not 0 < self.anchor_weight < math.inf:
            raise ParameterError(f"anchor_weight must be greater than 0 and finite; got {self.anchor_weight}")

    def objective(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        n_candidates, log_weight = scores.shape[-1] - 1, math.log(self.anchor_weight)
        log_sums = leave_one_out_log_mean_exp(scores) + math.log(n_candidates)
        log_partitions = torch.logaddexp(log_sums, torch.full_like(log_sums, log_weight))
        with_positive = off_diagonal_mean(positives(scores).unsqueeze(-1) - log_partitions)
        without = (log_weight - positives(log_partitions)).mean(-1)
        share = n_candidates / (n_candidates + self.anchor_weight)
        return share * with_positive + (1 - share) * without

"""SMILE: Donsker-Varadhan with its partition clipped, trained as a classifier."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.bounds.base import Bound
from mibounds.bounds.jensen_shannon import JensenShannon
from mibounds.errors import ParameterError
from mibounds.numerics import off_diagonal_log_mean_exp, positives, product_of_marginals


@dataclass(frozen=True)
class SMILE(Bound):
    """SMILE: E_p[f] - ln E_q[e^clip(f, -clip, clip)], q = p(x) p(y).

    Trained on the Jensen-Shannon objective. Clipping bounds the partition's variance, and takes the bound
    away: once ln r leaves [-clip, clip] even the true density ratio misses the MI, and where it is the large
    ratios that are clipped it reads more. Only the partition is clipped, never the positives.

    Args:
        clip: tau of the paper, > 0.

    Raises: ParameterError if clip is not above 0.

    References: Song and Ermon 2020 (ICLR), the SMILE estimator.

    Example:
        >>> scores = torch.tensor([[9.0, -9.0], [-9.0, 9.0]])
        >>> SMILE(clip=5.0)(scores)
        tensor(14.)
    """

    clip: float = 5.0

    name = "smile"
    direction = "none"
    validity = "none"
    tight = False
    references = ("Song and Ermon 2020, arXiv:1910.06222",)

    def __post_init__(self) -> None:
        if not 0 < self.clip < math.inf:
            raise ParameterError(f"clip must be greater than 0 and finite; got {self.clip}")

    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return positives(scores).mean(-1) - off_diagonal_log_mean_exp(self._clipped(scores))

    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        log_terms = self._clipped(scores) + product_of_marginals(joint).log()
        return (joint * scores).sum() - torch.logsumexp(log_terms, dim=(0, 1))

    @property
    def trained_as(self) -> Bound:
        return JensenShannon()

    def _clipped(self, scores: Tensor) -> Tensor:
        return scores.clamp(-self.clip, self.clip)

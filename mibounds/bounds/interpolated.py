"""The interpolated bound: between TUBA, unbiased and noisy, and InfoNCE, quiet and capped."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.bounds.base import Bound
from mibounds.errors import ParameterError
from mibounds.numerics import (
    guarded_exp,
    leave_one_out_log_mean_exp,
    log_mix,
    off_diagonal_log_mean_exp,
    off_diagonal_mean,
    positives,
    require_baseline,
)


@dataclass(frozen=True)
class Interpolated(Bound):
    """I_alpha: 1 + E_p[ln e^f / a] - E_q[e^f / a], a = alpha m(x) + (1 - alpha) e^b(x), q = p(x) p(y).

    m(x) is the mean of e^f over K - 1 of the row's K = n candidates: over the positive and K - 2 negatives in
    the first term, each negative being held out in turn, and over the K - 1 negatives in the second. alpha =
    0 is TUBA with log-baseline b, alpha = 1 InfoNCE with K - 1 candidates. Valid in expectation for every
    critic and baseline; bias grows and variance falls with alpha.

    Args:
        alpha: weight of the batch's own mean, in [0, 1].

    Raises: ParameterError if alpha lies outside; ShapeError unless called with one log_baseline, `... x n`.

    References: Poole et al. 2019, section 2.4 ("I_alpha").

    Example:
        >>> scores = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
        >>> [round(Interpolated(alpha)(scores, torch.zeros(2)).item(), 3) for alpha in (0.0, 0.5, 1.0)]
        [2.0, 0.566, 0.0]
    """

    alpha: float = 0.5

    name = "interpolated"
    direction = "lower"
    validity = "bound in expectation"
    baseline = "x"
    references = ("Poole et al. 2019, arXiv:1905.06922",)

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ParameterError(f"alpha must lie in [0, 1]; got {self.alpha}")

    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        baseline = require_baseline(scores, log_baseline).unsqueeze(-1)
        log_a = log_mix(leave_one_out_log_mean_exp(scores), baseline, self.alpha)
        log_ratio_p = off_diagonal_mean(positives(scores).unsqueeze(-1) - log_a)
        log_ratio_q = off_diagonal_log_mean_exp(scores - positives(log_a).unsqueeze(-1))
        return 1 + log_ratio_p - guarded_exp(log_ratio_q)

    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        log_partition = torch.logsumexp(scores + joint.sum(0).log(), dim=1)
        log_a = log_mix(log_partition, log_baseline[0], self.alpha)
        per_row = log_a + guarded_exp(log_partition - log_a)
        return 1 + (joint * scores).sum() - (joint.sum(1) * per_row).sum()

    def ceiling(self, batch_size: int) -> float:
        if self.alpha == 0:
            return math.inf
        # At alpha = 1 the second term is 1 on every batch and takes the leading 1 away.
        return math.log((batch_size - 1) / self.alpha) + (self.alpha < 1)

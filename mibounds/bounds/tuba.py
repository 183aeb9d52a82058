"""TUBA: the unnormalised Barber-Agakov bound, whose partition is bounded by a learned baseline."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mibounds.bounds.base import Bound
from mibounds.numerics import (
    guarded_exp,
    off_diagonal_log_mean_exp,
    positives,
    product_of_marginals,
    require_baseline,
)


@dataclass(frozen=True)
class TUBA(Bound):
    """TUBA: E_p[f - b(x)] - E_q[e^(f - b(x))] + 1, q = p(x) p(y), b the log-baseline.

    From ln z <= z / e^b + b - 1 for each row's partition z(x). Unbiased and valid in expectation for every
    critic and baseline, tight at f = ln r + c(x), b = c(x). A baseline of zero gives NWJ at 1 + f; a good one
    lowers the variance, which still grows like e^I.

    Raises: ShapeError unless called with one log_baseline, `... x n`.

    References: Poole et al. 2019, section 2.2 ("I_TUBA").

    Example:
        >>> import torch
        >>> scores = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
        >>> TUBA()(scores, torch.zeros(2))
        tensor(2.)
    """

    name = "tuba"
    direction = "lower"
    validity = "bound in expectation"
    baseline = "x"
    references = ("Poole et al. 2019, arXiv:1905.06922",)

    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        shifted = scores - require_baseline(scores, log_baseline).unsqueeze(-1)
        return positives(shifted).mean(-1) - guarded_exp(off_diagonal_log_mean_exp(shifted)) + 1

    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        shifted = scores - log_baseline[0].unsqueeze(-1)
        return (joint * shifted).sum() - (product_of_marginals(joint) * guarded_exp(shifted)).sum() + 1

"""Multi-label CPC: pick all n positives of a batch at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from mibounds.bounds.base import Bound
from mibounds.bounds.donsker_varadhan import DonskerVaradhan
from mibounds.errors import ParameterError
from mibounds.numerics import (
    log_mean_exp,
    log_mix,
    off_diagonal_log_mean_exp,
    positives,
)


@dataclass(frozen=True)
class MultilabelCPC(Bound):
    """ML-CPC: mean_i f_ii - ln( (alpha/n) mean_i e^f_ii + (1 - alpha/n) mean_(i != j) e^f_ij ).

    Its ceiling is ln(n / alpha). At alpha = 1 it lies below InfoNCE on every batch, and so is a bound in
    expectation. At the default, n / (n (n - 1) + 1), the n positives together weigh as one negative and the
    ceiling is ln(n (n - 1) + 1). With the negatives of the batch itself that is no strict bound in
    expectation: small finite laws keep it, but for y = x uniform over 10,000 symbols and n = 316 the mean is
    0.0013 nats over the MI. Smaller alpha breaks it plainly. The population value, n -> infinity, is
    Donsker-Varadhan's for every alpha.

    Args:
        alpha: weight of the positives, in (0, 1]; None for the default above, which depends on the batch size
        n.

    Raises: ParameterError if alpha lies outside.

    References: Song and Ermon 2020 (NeurIPS), alpha-ML-CPC as in the authors' code.

    Example:
        >>> import torch
        >>> bound, scores = MultilabelCPC(), torch.tensor([[50.0, 0.0], [0.0, 50.0]])
        >>> round(bound(scores).item(), 4), round(bound.ceiling(2), 4)
        (1.0986, 1.0986)
    """

    alpha: float | None = None

    name = "multilabel_cpc"
    direction = "lower"
    validity = "plug-in"
    invariances = frozenset({"constant"})
    references = ("Song and Ermon 2020, arXiv:2007.09852",)

    def __post_init__(self) -> None:
        if self.alpha is not None and not 0 < self.alpha <= 1:
            raise ParameterError(f"alpha must lie in (0, 1], or be None; got {self.alpha}")

    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        weight = math.exp(-self.ceiling(scores.shape[-1]))
        log_mean_p, log_mean_q = log_mean_exp(positives(scores)), off_diagonal_log_mean_exp(scores)
        return positives(scores).mean(-1) - log_mix(log_mean_p, log_mean_q, weight)

    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return DonskerVaradhan().population(joint, scores)

    def ceiling(self, batch_size: int) -> float:
        if self.alpha is None:
            return math.log(batch_size * (batch_size - 1) + 1)
        return math.log(batch_size / self.alpha)

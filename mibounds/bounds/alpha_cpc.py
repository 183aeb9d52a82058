"""alpha-CPC: InfoNCE with the positive's share of the denominator turned down."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from mibounds.bounds.base import Bound
from mibounds.bounds.info_nce import InfoNCE
from mibounds.errors import ParameterError
from mibounds.numerics import log_mix, negatives_only, positives


@dataclass(frozen=True)
class AlphaCPC(Bound):
    """alpha-CPC: mean_i [ f_ii - ln( (alpha/n) e^f_ii + (1 - alpha/n) mean_(j != i) e^f_ij ) ].

    alpha = 1 is InfoNCE. Below, the ceiling rises to ln(n / alpha) but the value is no bound: on small
    batches its expectation passes the MI. The population value, n -> infinity, is InfoNCE's for every alpha.

    Args:
        alpha: weight of the positive, in (0, 1].

    Raises: ParameterError if alpha lies outside.

    References: Song and Ermon 2020 (NeurIPS), alpha-CPC as in the authors' code.

    Example:
        >>> import torch
        >>> bound, scores = AlphaCPC(alpha=0.5), torch.tensor([[50.0, 0.0], [0.0, 50.0]])
        >>> round(bound(scores).item(), 4), round(bound.ceiling(2), 4)
        (1.3863, 1.3863)
    """

    alpha: float = 0.1

    name = "alpha_cpc"
    direction = "none"
    validity = "none"
    invariances = frozenset({"constant", "rows"})
    references = ("Song and Ermon 2020, arXiv:2007.09852",)

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 1:
            raise ParameterError(f"alpha must lie in (0, 1]; got {self.alpha}")

    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        n = scores.shape[-1]
        log_mean_negatives = negatives_only(scores).logsumexp(-1) - math.log(n - 1)
        return (positives(scores) - log_mix(positives(scores), log_mean_negatives, self.alpha / n)).mean(-1)

    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return InfoNCE().population(joint, scores)

    def ceiling(self, batch_size: int) -> float:
        return math.log(batch_size / self.alpha)

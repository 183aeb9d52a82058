"""Sinkhorn-Knopp: soft assignments of rows to prototypes that use every prototype equally."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def sinkhorn(scores: Tensor, eps: float, iterations: int) -> Tensor:
    """Codes Q = diag(u) e^(scores / eps) diag(v): rows sum to 1, columns, in the limit, to n / P.

    In logarithms, since e^(score / eps) overflows float32 at eps < 0.012. Each iteration scales columns, then rows, so
    that rows sum to 1 exactly and columns the better the more iterations there are.

    Args:
        scores: `... x n x P`.
        eps: entropic regularisation; the smaller, the harder the codes.
        iterations: of columns and rows.

    References: Cuturi 2013, arXiv:1306.0895; Caron et al. 2020, arXiv:2006.09882, eq. 5.

    Example:
        >>> sinkhorn(torch.tensor([[1.0, 0.9], [1.0, 0.0]]), eps=0.05, iterations=3).round().tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    log_codes = scores / eps
    for _ in range(iterations):
        log_codes = log_codes - log_codes.logsumexp(-2, keepdim=True)
        log_codes = log_codes - log_codes.logsumexp(-1, keepdim=True)
    return log_codes.exp()

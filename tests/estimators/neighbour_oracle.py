"""KSG once more, as its paper says it: all distances, then counts."""

from __future__ import annotations

import numpy as np
from scipy.special import digamma


def ksg(x: np.ndarray, y: np.ndarray, k: int, algorithm: int) -> float:
    """The estimate of `n x dim_x` and `n x dim_y`, O(n^2). Differences come first, so that equal ones stay equal."""
    n = len(x)
    apart_x, apart_y = ((np.abs(side[:, None] - side) / side.std(axis=0)).max(axis=2) for side in (x, y))
    terms = []
    for i in range(n):
        others = np.arange(n) != i
        to_x, to_y = apart_x[i, others], apart_y[i, others]
        both = np.maximum(to_x, to_y)
        kth = np.sort(both)[k - 1]
        if algorithm == 1:
            terms.append(digamma(k) - digamma(np.sum(to_x < kth) + 1) - digamma(np.sum(to_y < kth) + 1))
        else:
            n_x, n_y = (np.sum(to <= to[both <= kth].max()) for to in (to_x, to_y))
            terms.append(digamma(k) - 1 / k - digamma(n_x) - digamma(n_y))
    return float(np.mean(terms) + digamma(n))

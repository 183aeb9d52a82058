"""Whether columns are as Gaussian together as a copula's closed form takes them to be, by pairs left out one by one."""

from __future__ import annotations

import math

import numpy as np

from mibounds.estimators._terms import Array
from mibounds.estimators.gaussian import bias_if_gaussian

NEGLIGIBLE = 1e-12  # of the largest eigenvalue: columns that are linear in the others
ERRORS = 3.0


def surely_lost(x: Array, y: Array) -> float:
    """How many nats fewer ln r reads than of Gaussian columns, if its covariances never saw the pair; at least 0.

    Each pair is read by the Gaussian of all others, which by the rank-one update takes leverages alone. The mean falls
    short of what was fitted; for Gaussian columns by a known amount, for columns that are bent in each other by more.
    Three standard errors are taken off.

    Args:
        x, y: `n x dim`.

    References: Hoaglin and Welsch 1978, The American Statistician 32, 17-22 (leverages).
    """
    n = len(x)
    (of_x, log_det_x, rank_x), (of_y, log_det_y, rank_y), (of_both, log_det, rank) = map(
        _leverages, (x, y, np.hstack([x, y]))
    )
    if n <= rank + 3:
        return 0.0  # nothing is expected of so few
    fitted = (log_det_x + log_det_y - log_det) / 2
    read = fitted + _unseen(of_x, n) + _unseen(of_y, n) - _unseen(of_both, n)
    of_gaussian = bias_if_gaussian(n - 1, rank_x, rank_y) - bias_if_gaussian(n, rank_x, rank_y)
    of_gaussian += fitted + _expected(rank_x, n) + _expected(rank_y, n) - _expected(rank, n)
    return max(0.0, of_gaussian - float(read.mean()) - ERRORS * float(read.std()) / math.sqrt(n))


def _leverages(columns: Array) -> tuple[Array, float, int]:
    """Of each row its share of the fit, ln det of the covariance, and its rank: `n`, nats, columns."""
    n, columns = len(columns), columns - columns.mean(axis=0)
    sizes, turn = np.linalg.eigh(columns.T @ columns / n)
    kept = sizes > NEGLIGIBLE * sizes[-1]
    spread = (columns @ turn[:, kept]) ** 2 / sizes[kept]
    return spread.sum(axis=1) / n, float(np.log(sizes[kept]).sum()), int(kept.sum())


def _unseen(leverage: Array, n: int) -> Array:
    """Half of ln det and of the squared distance by the covariance of the others, up to what the sum cancels: `n`."""
    left = np.maximum(1 - leverage, np.finfo(np.float64).tiny)
    return (np.log(left) + (n - 1) * leverage / left) / 2


def _expected(rank: int, n: int) -> float:
    """Half of the mean squared distance of a Gaussian row by the covariance of n - 1 others."""
    return rank * (n - 1) / (n - rank - 2) / 2

"""Whether a Gaussian weighs sides that were drawn apart as a density ratio has to: by 1, on the mean."""

from __future__ import annotations

import math

import numpy as np

from mibounds.errors import DataError
from mibounds.estimators._terms import Array
from mibounds.estimators.gaussian import NEGLIGIBLE, bias_if_gaussian, information, whitened

PAIRS_A_COLUMN = 3  # of fewer, the noise of the fit says more than the columns
MOST_PAIRS = 20_000  # that are fitted
BLOCK = 2000  # pairs whose sides are set beside each other's
SURE = 10.0  # standard errors


def surely_in_excess(x: Array, y: Array, seed: int) -> float:
    """How many nats too many a Gaussian weighs sides by that were drawn apart; at least 0.

    Beside any x, a density ratio is 1 on the mean over y that were drawn without it. A Gaussian that is fitted to
    columns which only look like one, such as many that say in which of some clusters a row lies, weighs them by more,
    and what it then reads of pairs is not in them. Since few pairs move a fit, the weight is set beside that of
    Gaussian columns, drawn once, with the same canonical correlations, as many times smaller as makes their information
    unbiased. Ten standard errors over pairs are taken off, which do not know how fits scatter. Of fewer than three
    pairs a column, as many principal components of each side are looked at as leaves three; where nothing is read,
    nothing is in excess.

    Args:
        x, y: `n x dim`.

    Raises: DataError if columns of the one side are linear in those of the other.
    """
    random = np.random.default_rng(seed)
    kept = random.permutation(len(x))[:MOST_PAIRS]
    n = len(kept)
    white_x, white_y = (whitened(side[kept])[:, : max(1, n // PAIRS_A_COLUMN // 2)] for side in (x, y))
    rank_x, rank_y = white_x.shape[1], white_y.shape[1]
    correlations = np.linalg.svdvals(white_x.T @ white_y / n)
    if correlations[0] > 1 - NEGLIGIBLE:
        raise DataError("a direction of x is one of y, so that a Gaussian's information is infinite")
    nats = information(correlations) - bias_if_gaussian(n, rank_x, rank_y)
    if nats <= 0:
        return 0.0
    gaussian = _gaussian(n, rank_x, rank_y, _shrunk(correlations, nats), random)
    weight, error = weighed_by(white_x, white_y)
    expected, of_expected = weighed_by(*map(whitened, gaussian))
    return max(0.0, weight - expected - SURE * math.hypot(error, of_expected))


def weighed_by(white_x: Array, white_y: Array) -> tuple[float, float]:
    """ln of what sides weigh on the mean beside those of up to 2,000 other pairs, the mean of all; and its error.

    The weight is r of the Gaussian that was fitted to all the pairs.
    """
    turn_x, correlations, turn_y = np.linalg.svd(white_x.T @ white_y / len(white_x), full_matrices=False)
    x, y = white_x[:BLOCK] @ turn_x, white_y[:BLOCK] @ turn_y.T
    free = 1 - correlations**2
    of_x, of_y = (side**2 @ (correlations**2 / free) / 2 for side in (x, y))
    weights = information(correlations) + (x * correlations / free) @ y.T - of_x[:, None] - of_y
    np.fill_diagonal(weights, -np.inf)
    beside_others = (_log_sum_exp(weights, 0) + _log_sum_exp(weights, 1)) / 2 - math.log(len(x) - 1)
    return float(beside_others.mean()), float(beside_others.std()) / math.sqrt(len(x))


def _log_sum_exp(weights: Array, axis: int) -> Array:
    """In float32 once the largest is taken off, for speed."""
    largest = weights.max(axis=axis, keepdims=True)
    summed = np.exp((weights - largest).astype(np.float32)).sum(axis=axis, dtype=np.float64)
    return largest.squeeze(axis) + np.log(summed)


def _shrunk(correlations: Array, nats: float) -> Array:
    """As many times smaller, all of them, as makes their information `nats`, which is no more than it is."""
    from scipy.optimize import brentq

    return correlations * brentq(lambda share: information(share * correlations) - nats, 0.0, 1.0)


def _gaussian(
    n: int, dim_x: int, dim_y: int, correlations: Array, random: np.random.Generator
) -> tuple[Array, Array]:
    x, y, k = random.normal(size=(n, dim_x)), random.normal(size=(n, dim_y)), len(correlations)
    y[:, :k] = correlations * x[:, :k] + np.sqrt(1 - correlations**2) * y[:, :k]
    return x, y

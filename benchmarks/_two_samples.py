"""Whether two samples come from one law: every column, every pair of columns, and all of them together.

All is computed on normal scores of the pooled columns (Phi^-1 of the rank), so that no tail is too heavy for it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import norm, rankdata

Array = NDArray[np.float64]

LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
POWERS = (1, 2, 3, 4)
ROWS_OF_THE_DISTANCE, SHUFFLES = 2000, 200


def differences(first: Array, second: Array, seed: int) -> dict[str, Array]:
    """Differences in standard errors, by kind.

    Args:
        first, second: `n x dim`, a row a draw.
        seed: of the shuffles.

    Returns:
        quantile: of the shares below each of seven quantiles of the pooled column, `dim x 7`.
        moment: of the means of powers one to four of each column's scores, `dim x 4`.
        correlation: of two columns' scores, a number a pair.
        square: of the correlations of their squares, which see a shared scale.
        distance: the energy distance of 2,000 rows each, less its mean over shuffled rows, in units of their spread.
    """
    scores = np.apply_along_axis(_normal_scores, 0, np.vstack([first, second]).astype(np.float64))
    one, other = scores[: len(first)], scores[len(first) :]
    below = [[np.asarray(side < norm.ppf(level), float) for level in LEVELS] for side in (one, other)]
    squares = one**2, other**2
    return {
        "quantile": np.stack([_of_means(a, b) for a, b in zip(*below, strict=True)]),
        "moment": np.stack([_of_means(one**power, other**power) for power in POWERS]),
        "correlation": _of_correlations(one, other),
        "square": _of_correlations(*squares),
        "distance": np.array([energy(one, other, seed)]),
    }


def _normal_scores(values: Array) -> Array:
    return norm.ppf((rankdata(values) - 0.5) / len(values))


def _of_means(one: Array, other: Array) -> Array:
    error = np.sqrt(one.var(0) / len(one) + other.var(0) / len(other))
    return (one.mean(0) - other.mean(0)) / error


def _of_correlations(one: Array, other: Array) -> Array:
    """Of columns i < j."""
    upper = np.triu_indices(one.shape[1], 1)
    (first, error), (second, other_error) = (_correlations(side) for side in (one, other))
    return ((first - second) / np.hypot(error, other_error))[upper]


def _correlations(values: Array) -> tuple[Array, Array]:
    """r = E[uv] of standardised columns, and its standard error from the influence uv - r (u^2 + v^2)/2."""
    u = (values - values.mean(0)) / values.std(0)
    n = len(u)
    r, cubes, squares, fourth = u.T @ u / n, (u**3).T @ u / n, (u**2).T @ u**2 / n, (u**4).mean(0)
    variance = squares - r * (cubes + cubes.T) + r**2 / 4 * (fourth + fourth[:, None] + 2 * squares)
    return r, np.sqrt(np.maximum(variance, 1e-12) / n)


def energy(one: Array, other: Array, seed: int) -> float:
    """2 E|a - b| - E|a - a'| - E|b - b'| in units of its spread under shuffling; large if the laws differ."""
    rows = np.vstack([one[:ROWS_OF_THE_DISTANCE], other[:ROWS_OF_THE_DISTANCE]])
    n = min(len(one), ROWS_OF_THE_DISTANCE)
    sign = np.where(np.arange(len(rows)) < n, 1 / n, -1 / (len(rows) - n))
    random = np.random.default_rng(seed)
    signs = np.stack([sign, *(random.permutation(sign) for _ in range(SHUFFLES))], 1)
    found = -np.einsum("ik,ik->k", signs, cdist(rows, rows) @ signs)
    return float((found[0] - found[1:].mean()) / found[1:].std())

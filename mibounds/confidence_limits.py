"""Lower confidence limits of a mean that hold at every n, for every law whose values keep within known ends.

Importing this module imports neither scipy nor torch.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mibounds.errors import ParameterError, ShapeError

Array = NDArray[np.float64]


def matched_pairs_limit(values: ArrayLike, floor: float, error: float) -> float:
    """A lower confidence limit of E[w(Z, Z')] from all pairs within groups of independent draws z.

        L = floor + ( error * prod_g mean_M prod_{(i, j) in M} (w_ij - floor) )^(2/n)

    M runs over m - 1 matchings of a group's m draws, in which every two meet once. Two pairs of one matching share no
    draw, so each product has the expectation (E w - floor)^(m/2), and so has their mean, whatever their dependence.
    Markov's inequality then bounds the chance that L passes E w by `error`. One matching would be valid alone; the mean
    over many sees all m (m - 1) / 2 pairs, and lies higher by half the variance of the logarithm over matchings.

    `floor` may be any number that no value can fall under, chosen before the draws: near the least value where few
    values come near it, lower where many do. It is the inverse of a bet in the terms of Waudby-Smith and Ramdas.

    Args:
        values: `n_groups x m x m` (or `m x m`), w of draws i and j of a group, symmetric; m even. The diagonals are
            not read.
        floor: in the unit of the values.
        error: the chance, at most, that the limit lies above the mean.

    Raises: ShapeError for groups that are not square or not even; ParameterError for a value under the floor, or an
        error outside 0..1.

    References: Hoeffding 1963, section 5 (means over matchings); Waudby-Smith and Ramdas 2024, J. Royal Statistical
        Society B 86 (bets on bounded means).

    Example:
        >>> always_one = np.ones((10, 100, 100))
        >>> round(matched_pairs_limit(always_one, floor=0.0, error=0.05), 4)
        0.994
    """
    w = np.asarray(values, dtype=np.float64)
    w = w[None] if w.ndim == 2 else w
    if w.ndim != 3 or w.shape[1] != w.shape[2] or w.shape[1] % 2 or not w.size:
        raise ShapeError(f"values must be n_groups x m x m with m even; got shape {np.shape(values)}")
    first, second = matchings(w.shape[1])
    heights = w[:, first, second] - floor
    if not heights.min() >= 0:
        raise ParameterError(
            f"floor must lie at or under every value; got {floor} and {heights.min() + floor}"
        )
    with np.errstate(divide="ignore"):  # a height of 0 makes its matching's product 0
        log_products = np.log(heights).sum(-1)
    n_matchings, n_pairs = first.shape
    log_means = np.logaddexp.reduce(log_products, axis=1) - math.log(n_matchings)
    return floor + math.exp((log_means.sum() + math.log(_error(error))) / (len(w) * n_pairs))


@lru_cache
def matchings(m: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rounds of a tournament of m players, m even, in which every two meet once: two arrays `(m - 1) x m/2`.

    Example:
        >>> first, second = matchings(4)
        >>> [list(zip(a.tolist(), b.tolist())) for a, b in zip(first, second)]
        [[(0, 3), (1, 2)], [(0, 2), (3, 1)], [(0, 1), (2, 3)]]
    """
    # Player 0 stays, the others move on by one seat a round, and who sits opposite each other meets.
    seats = 1 + (np.arange(m - 1) - np.arange(m - 1)[:, None]) % (m - 1)
    table = np.hstack([np.zeros((m - 1, 1), dtype=np.intp), seats])
    return table[:, : m // 2], table[:, : m // 2 - 1 : -1]


def empirical_bernstein_limit(values: ArrayLike, low: float, high: float, error: float) -> float:
    """Maurer and Pontil's lower limit of a mean, from n independent values in low..high:

        L = mean - sqrt(2 V ln(2/error) / n) - 7 (high - low) ln(2/error) / (3 (n - 1)),   V the sample variance.

    The upper limit of a mean is minus the lower one of the negative values.

    Raises: ShapeError for fewer than two values; ParameterError for values outside low..high, or an error outside 0..1.

    References: Maurer and Pontil 2009, arXiv:0907.3740, theorem 4.

    Example:
        >>> round(empirical_bernstein_limit([0.5] * 1000, 0.0, 1.0, error=0.05), 4)
        0.4914
    """
    z = np.asarray(values, dtype=np.float64)
    if z.ndim != 1 or len(z) < 2:
        raise ShapeError(f"values must be a sequence of at least two; got shape {z.shape}")
    if not (low <= z.min() and z.max() <= high):
        raise ParameterError(f"values must lie in {low}..{high}; got {z.min()}..{z.max()}")
    n, log_term = len(z), math.log(2 / _error(error))
    reach = math.sqrt(2 * z.var(ddof=1) * log_term / n) + 7 * (high - low) * log_term / (3 * (n - 1))
    return float(z.mean()) - reach


def _error(error: float) -> float:
    if not 0 < error < 1:
        raise ParameterError(f"error must lie between 0 and 1; got {error}")
    return error

"""Rows that depend on the ones before: how sure that is, and how much less sure it makes a mean."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mibounds.estimators._ranks import CentredScores

Array: TypeAlias = NDArray[np.float64]

FALSE_ALARMS = 1e-3
LEAST_SIDE_BY_SIDE = 30
FOLLOWING = "rows follow each other (each side has a column that is correlated with the row before)"


def follow_each_other(x: Array, y: Array) -> bool:
    """Whether pairs seem to depend on the ones before: both sides do, `n x dim` each."""
    return all(map(is_autocorrelated, (x, y)))


def is_autocorrelated(side: Array) -> bool:
    """Whether any column of `n x dim` follows the row before; by chance in one of 1,000 at most.

    A lag-1 correlation has a standard error of 1 / sqrt(n) if rows are independent.
    """
    from scipy.special import ndtri

    n, dim = side.shape
    return lag_correlation(side) * math.sqrt(n) > -float(ndtri(FALSE_ALARMS / 2 / dim))


def lag_correlation(side: Array) -> float:
    """The largest of any column of `n x dim` with the row before, either sign; of normal scores, so for any law.

    A column that takes one value nearly throughout says nothing, 0: of its others so few stand side by side by chance
    that their number is not normal.
    """
    columns = [column for column in side.T if _n_side_by_side(column) >= LEAST_SIDE_BY_SIDE]
    if not columns:
        return 0.0
    varied = np.stack(columns, axis=1)
    scores = CentredScores.fitted(varied)(varied)
    lagged = (scores[1:] * scores[:-1]).mean(axis=0) / (scores**2).mean(axis=0)
    return float(np.abs(lagged).max())


def _n_side_by_side(column: Array) -> float:
    """How many rows in random order would, with the next, both not hold the commonest value."""
    _, times = np.unique(column, return_counts=True)
    others: int = len(column) - times.max()
    return others**2 / len(column)


def inflation(influence: Array) -> float:
    """How many times wider the mean of `influence`, `n` in the rows' order, scatters than if rows were independent.

    From the means of about sqrt(n) blocks, each sqrt(n) rows long; at least 1.
    """
    size = math.isqrt(len(influence))
    blocks = influence[: size * size].reshape(size, size).mean(axis=1)
    variance = float(influence.var())
    return math.sqrt(max(1.0, size * float(blocks.var(ddof=1)) / variance)) if variance > 0 else 1.0

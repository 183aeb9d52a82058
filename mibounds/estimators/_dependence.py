"""Rows that depend on the ones before: how sure that is, and how much less sure it makes a mean."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mibounds.estimators._ranks import CentredScores

Array: TypeAlias = NDArray[np.float64]

FALSE_ALARMS = 1e-3
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
    """The largest of any column of `n x dim` with the row before, either sign; of normal scores, so for any law."""
    scores = CentredScores.fitted(side)(side)
    size = (scores**2).mean(axis=0)
    lagged = np.abs((scores[1:] * scores[:-1]).mean(axis=0))
    return float((lagged / np.where(size > 0, size, 1.0)).max())


def inflation(influence: Array) -> float:
    """How many times wider the mean of `influence`, `n` in the rows' order, scatters than if rows were independent.

    From the means of about sqrt(n) blocks, each sqrt(n) rows long; at least 1.
    """
    size = math.isqrt(len(influence))
    blocks = influence[: size * size].reshape(size, size).mean(axis=1)
    variance = float(influence.var())
    return math.sqrt(max(1.0, size * float(blocks.var(ddof=1)) / variance)) if variance > 0 else 1.0

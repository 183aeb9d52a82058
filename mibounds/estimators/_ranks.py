"""Ranks of columns: all that a copula keeps of them, and all that monotone maps of a column leave as it was."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]


def probabilities(values: Array) -> Array:
    """Rank / (n + 1) in each column of `n x dim`, in (0, 1); what is equal shares its mean rank.

    >>> probabilities(np.array([[3.0], [1.0], [1.0]])).ravel().tolist()
    [0.75, 0.375, 0.375]
    """
    from scipy.stats import rankdata

    ranks: Array = rankdata(values, axis=0)
    return ranks / (len(values) + 1)


def normal_scores(values: Array) -> Array:
    """The normal quantiles of `probabilities`, scaled to unit mean square; of a constant column 0: `n x dim`."""
    from scipy.special import ndtri

    scores: Array = ndtri(probabilities(values))
    size = np.sqrt((scores**2).mean(axis=0))
    return scores / np.where(size > 0, size, 1.0)


def places(values: Array, random: np.random.Generator) -> Array:
    """Each column's ranks from 0, equal values in random order: `n x dim`."""
    order = np.lexsort((random.random(values.shape), values), axis=0)
    return np.argsort(order, axis=0).astype(np.float64)


def centred_scores(values: Array) -> Array:
    """The normal quantiles of `probabilities`, centred, not scaled: `n x dim`.

    A column that is nearly constant stays so, where `normal_scores` would blow up its few other values.
    """
    from scipy.special import ndtri

    scores: Array = ndtri(probabilities(values))
    return scores - scores.mean(axis=0)

"""Ranks of columns: all that a copula keeps of them, and all that monotone maps of a column leave as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

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


@dataclass(frozen=True)
class CentredScores:
    """The normal quantiles of a value's place among fitted rows, less their mean over these; not scaled.

    Of the fitted rows themselves they are those of `probabilities`. Only the order of values counts, so that no
    increasing map of a column changes anything. A column that is nearly constant stays so, where `normal_scores` would
    blow up its few other values.

    Attributes:
        rows: the fitted ones, each column sorted: `n x dim`.
        centre: the mean of their quantiles: `dim`.
    """

    rows: Array
    centre: Array

    @classmethod
    def fitted(cls, rows: Array) -> CentredScores:
        """From rows that may train: of others nothing is seen."""
        ordered = np.sort(rows, axis=0)
        return cls(ordered, _quantiles(ordered, ordered).mean(axis=0))

    def __call__(self, values: Array) -> Array:
        """`m x dim` -> `m x dim`."""
        return _quantiles(values, self.rows) - self.centre


def _quantiles(values: Array, ordered: Array) -> Array:
    """Normal ones, of the middle between how many of the ordered lie below and how many not above."""
    from scipy.special import ndtri

    sides: tuple[Literal["left", "right"], ...] = ("left", "right")
    columns = zip(ordered.T, values.T, strict=True)
    twice = np.stack([sum(np.searchsorted(own, v, side) for side in sides) for own, v in columns], axis=1)
    scores: Array = ndtri((twice + 1) / (2 * (len(ordered) + 1)))
    return scores

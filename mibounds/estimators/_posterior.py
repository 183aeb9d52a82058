"""Classes beside columns, read by a model of a class's probability given a row, on rows that did not fit it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from mibounds.data import Samples
from mibounds.data.categories import one_hot
from mibounds.errors import DataError
from mibounds.estimators._classes import classes_and_rest
from mibounds.estimators._counts import Labels
from mibounds.estimators._ranks import CentredScores
from mibounds.estimators._terms import Array, Terms
from mibounds.seeding import seed_of

N_PARTS = 5
LEAST_PAIRS = 10

# A number of each row and class: `n x dim` -> `n x n_classes`.
OfRows: TypeAlias = Callable[[Array], Array]
# ln q(c | x), as fitted to rows, their classes, and all classes' shares.
Fit: TypeAlias = Callable[[Array, Labels, Array], OfRows]


def posterior_terms(samples: Samples, discrete: str, fit: Fit, seed: int) -> Terms:
    """< ln q(c | x) - ln q(c) >, each fifth of the pairs read by what the others fitted, x their normal scores.

    That mean is at most the truth, in expectation, but for the error of the shares q(c), about a class in 2n; and what
    is read on pairs that fitted q is too much, by about as much as the other is too little. The estimate lies in the
    middle.

    Raises: DataError for fewer than 10 pairs, or if the discrete side never repeats.
    """
    classes, columns, categories = classes_and_rest(samples, discrete)
    n, columns = len(classes), one_hot(columns, categories)
    if n < LEAST_PAIRS:
        raise DataError(f"too few samples to read classes crosswise: {n}; expected at least {LEAST_PAIRS}")
    order = np.random.default_rng(seed_of("posterior", seed)).permutation(n)
    read, of_fitted = np.empty(n), []
    for part in np.array_split(order, N_PARTS):
        rest = np.setdiff1d(order, part)
        # A class that none of the rest is of counts as seen once.
        seen = np.bincount(classes[rest], minlength=int(classes.max()) + 1) + 1
        shares: Array = seen / seen.sum()
        x = CentredScores.fitted(columns[rest])(columns)
        posterior = fit(x[rest], classes[rest], shares)

        log_ratio = posterior(x)[np.arange(n), classes] - np.log(shares[classes])
        read[part] = log_ratio[part]
        of_fitted.append(log_ratio[rest].mean())
    added = (float(np.mean(of_fitted)) - float(read.mean())) / 2
    chance = float(read.std(ddof=1)) / math.sqrt(n)
    return Terms(float(read.mean()) + added, read, chance, doubt=added / 2)

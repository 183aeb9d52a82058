"""Classes beside numbers: Gaussians around the classes' means, read on pairs that did not fit them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from mibounds.data import Samples
from mibounds.errors import DataError, ParameterError
from mibounds.estimators._classes import classes_and_numbers, require_side
from mibounds.estimators._counts import Labels
from mibounds.estimators._ranks import normal_scores
from mibounds.estimators._shrinkage import shrunk_covariance
from mibounds.estimators._terms import Array, FromTerms, Terms
from mibounds.seeding import seed_of

Covariances = Literal["shared", "own"]
LogDensities: TypeAlias = Callable[[Array], Array]

N_PARTS = 5
LEAST_PAIRS = 20


@dataclass(frozen=True)
class Discriminant(FromTerms):
    """I = < ln q(x | c) - ln sum_k q(k) q(x | k) >, c a pair's class, q(x | c) a Gaussian of the normal scores of x.

    With a covariance that all classes share that is Fisher's linear discriminant, with their own the quadratic one. The
    covariance is shrunk, a class's own one towards the shared one, its mean towards that of all, so that many columns
    and classes of few pairs can be read.

    Each fifth of the pairs is read by what the others fitted. That mean is in expectation no more than the truth, which
    would be read by the true q alone; on pairs that fitted it q reads too much, by about as much as too little on the
    others. The estimate lies in the middle. The standard error is that of the mean, and a quarter of the difference, so
    that a 95% interval reaches both.

    Args:
        covariances: "shared" or "own".
        discrete: "x" or "y", the side with the classes, whose columns are one value; "auto" takes the side that holds
            categories, else the one with fewer different rows.

    Raises: ParameterError; DataError for fewer than 20 pairs, if both sides hold categories, or if the discrete one
        never repeats.

    References: Fisher 1936, Annals of Eugenics 7, 179-188; Friedman 1989, J. American Statistical Association 84,
        165-175 (between shared and own); Ledoit and Wolf 2004, J. Multivariate Analysis 88, 365-411 (how much to
        shrink); Barber and Agakov 2003 (the bound).

    Example:
        >>> random = np.random.default_rng(0)
        >>> c = random.integers(3, size=1000)
        >>> x = random.normal(size=(1000, 20)) + 0.5 * c[:, None]
        >>> print(Discriminant().estimate(Samples(x, c[:, None].astype(float)), seed=0, confidence=0.95))
        0.765 nats (95% interval 0.732 to 0.798) by discriminant, no bound: the truth may lie on either side
    """

    covariances: Covariances = "shared"
    discrete: str = "auto"

    name = "discriminant"
    validity = "nearly unbiased if the classes are Gaussian"
    references = ("Fisher 1936", "Friedman 1989", "Ledoit and Wolf 2004", "Barber and Agakov 2003")
    categories = "codes"

    def __post_init__(self) -> None:
        if self.covariances not in get_args(Covariances):
            raise ParameterError(
                f"covariances must be {' or '.join(get_args(Covariances))}; got {self.covariances!r}"
            )
        require_side(self.discrete)

    def terms(self, samples: Samples, seed: int) -> Terms:
        classes, numbers = classes_and_numbers(samples, self.discrete, self.name)
        n, x = len(classes), normal_scores(numbers)
        if n < LEAST_PAIRS:
            raise DataError(f"too few samples for a discriminant: {n}; expected at least {LEAST_PAIRS}")
        n_classes = int(classes.max()) + 1
        order = np.random.default_rng(seed_of("discriminant", seed)).permutation(n)
        read, of_fitted = np.empty(n), []
        for part in np.array_split(order, N_PARTS):
            rest = np.setdiff1d(order, part)
            log_ratio = self._log_ratio(x[rest], classes[rest], n_classes)
            read[part] = log_ratio(x[part], classes[part])
            of_fitted.append(log_ratio(x[rest], classes[rest]).mean())
        doubt = (float(np.mean(of_fitted)) - float(read.mean())) / 2
        error = math.hypot(float(read.std(ddof=1)) / math.sqrt(n), doubt / 2)
        return Terms(float(read.mean()) + doubt, read, error)

    def _log_ratio(self, x: Array, classes: Labels, n_classes: int) -> Callable[[Array, Labels], Array]:
        """ln q(x | c) / q(x) as fitted to some pairs; a class that none of them is of has one pair and no mean."""
        from scipy.special import logsumexp

        densities = self._fitted(x, classes, n_classes)
        shares = (np.bincount(classes, minlength=n_classes) + 1) / (len(classes) + n_classes)

        def log_ratio(x: Array, classes: Labels) -> Array:
            given = densities(x)
            ratio: Array = given[np.arange(len(x)), classes] - logsumexp(given + np.log(shares), axis=1)
            return ratio

        return log_ratio

    def _fitted(self, x: Array, classes: Labels, n_classes: int) -> LogDensities:
        """ln q(x | c) of each class, up to what all share: `n x dim` -> `n x n_classes`."""
        of_class = np.eye(n_classes)[classes]
        sizes, sums = of_class.sum(axis=0), of_class.T @ x
        means = sums / (sizes + 1)[:, None]
        around = x - means[classes]
        shared = shrunk_covariance(around)
        if self.covariances == "shared":
            return _normal(means, [shared])
        weight = x.shape[1] + 1  # as of so many pairs of the shared covariance
        own = [
            (around[classes == c].T @ around[classes == c] + weight * shared) / (sizes[c] + weight)
            for c in range(n_classes)
        ]
        return _normal(means, own)


def _normal(means: Array, covariances: list[Array]) -> LogDensities:
    """ln N(x; mean, covariance) less a constant, of one covariance for all means, or one for each."""
    roots = [np.linalg.cholesky(covariance) for covariance in covariances]
    inverses = [np.linalg.inv(root) for root in roots]
    logs = [-float(np.log(np.diag(root)).sum()) for root in roots]

    def log_densities(x: Array) -> Array:
        if len(inverses) == 1:
            return logs[0] - _square_distances(x @ inverses[0].T, means @ inverses[0].T) / 2
        each = zip(inverses, logs, means, strict=True)
        return np.stack([log - (((x - m) @ to.T) ** 2).sum(axis=1) / 2 for to, log, m in each], axis=1)

    return log_densities


def _square_distances(x: Array, means: Array) -> Array:
    """`n x dim`, `k x dim` -> `n x k`."""
    from scipy.spatial.distance import cdist

    distances: Array = cdist(x, means, "sqeuclidean")
    return distances

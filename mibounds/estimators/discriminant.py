"""Classes beside numbers: Gaussians around the classes' means, read on pairs that did not fit them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from mibounds.data import Samples
from mibounds.errors import ParameterError
from mibounds.estimators._classes import require_side
from mibounds.estimators._counts import Labels
from mibounds.estimators._posterior import OfRows, posterior_terms
from mibounds.estimators._shrinkage import noise_of_rigid, shrunk_covariance
from mibounds.estimators._terms import Array, FromTerms, Terms

Covariances = Literal["shared", "own"]


@dataclass(frozen=True)
class Discriminant(FromTerms):
    """I = < ln q(x | c) - ln sum_k q(k) q(x | k) >, c a pair's class, q(x | c) a Gaussian of the normal scores of x.

    With a covariance that all classes share that is Fisher's linear discriminant, with their own the quadratic one. The
    covariance is shrunk, a class's own one towards the shared one, its mean towards that of all, so that many columns
    and classes of few pairs can be read; columns that hardly vary get noise. Categories beside the classes become
    columns of 0 and 1.

    Each fifth of the pairs is read by what the others fitted. That mean is in expectation no more than the truth, which
    would be read by the true q alone, but for the error of the classes' shares, small where they have many pairs; on
    pairs that fitted it q reads too much, by about as much as too little on the others. The estimate lies in the
    middle. The standard error is that of the mean, and a quarter of the difference, so that a 95% interval reaches
    both.

    Args:
        covariances: "shared" or "own".
        discrete: "x" or "y", the side with the classes, whose columns are one value; "auto" takes the side that is
            categories, else the one with fewer different rows.

    Raises: ParameterError; DataError for fewer than 10 pairs, or if the discrete side never repeats.

    References: Fisher 1936, Annals of Eugenics 7, 179-188; Friedman 1989, J. American Statistical Association 84,
        165-175 (between shared and own); Ledoit and Wolf 2004, J. Multivariate Analysis 88, 365-411 (how much to
        shrink); Barber and Agakov 2003 (the bound).

    Example:
        >>> random = np.random.default_rng(0)
        >>> c = random.integers(3, size=1000)
        >>> x = random.normal(size=(1000, 20)) + 0.5 * c[:, None]
        >>> print(Discriminant().estimate(Samples(x, c[:, None].astype(float)), seed=0, confidence=0.95))
        0.691 nats (95% interval 0.651 to 0.732) by discriminant, no bound: the truth may lie on either side
    """

    covariances: Covariances = "shared"
    discrete: str = "auto"

    name = "discriminant"
    validity = "nearly unbiased if scores are Gaussian within classes"
    references = ("Fisher 1936", "Friedman 1989", "Ledoit and Wolf 2004", "Barber and Agakov 2003")
    categories = "codes"

    def __post_init__(self) -> None:
        if self.covariances not in get_args(Covariances):
            raise ParameterError(
                f"covariances must be {' or '.join(get_args(Covariances))}; got {self.covariances!r}"
            )
        require_side(self.discrete)

    def terms(self, samples: Samples, seed: int) -> Terms:
        return posterior_terms(samples, self.discrete, self._fit, seed)

    def _fit(self, x: Array, classes: Labels, shares: Array) -> OfRows:
        from scipy.special import log_softmax

        densities = self._densities(x, classes, len(shares))

        def posterior(x: Array) -> Array:
            log_q: Array = log_softmax(densities(x) + np.log(shares), axis=1)
            return log_q

        return posterior

    def _densities(self, x: Array, classes: Labels, n_classes: int) -> OfRows:
        """ln q(x | c) of each class, up to what all share: `n x dim` -> `n x n_classes`; without a pair, of mean 0."""
        of_class = np.eye(n_classes)[classes]
        sizes, sums = of_class.sum(axis=0), of_class.T @ x
        means = sums / (sizes + 1)[:, None]
        around, noise = x - means[classes], noise_of_rigid(x)
        shared = shrunk_covariance(around)
        if self.covariances == "shared":
            return _normal(means, [shared + noise])
        weight = x.shape[1] + 1  # as of so many pairs of the shared covariance
        own = [
            (around[classes == c].T @ around[classes == c] + weight * shared) / (sizes[c] + weight) + noise
            for c in range(n_classes)
        ]
        return _normal(means, own)


def _normal(means: Array, covariances: list[Array]) -> OfRows:
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

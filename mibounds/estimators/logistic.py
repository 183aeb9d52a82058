"""Classes beside columns of any kind: odds that are linear in them, read on pairs that did not fit them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mibounds.data import Samples
from mibounds.errors import ParameterError
from mibounds.estimators._classes import require_side
from mibounds.estimators._counts import Labels
from mibounds.estimators._posterior import OfRows, posterior_terms
from mibounds.estimators._terms import Array, FromTerms, Terms

MOST_STEPS = 200


@dataclass(frozen=True)
class Logistic(FromTerms):
    """I = < ln q(c | x) - ln q(c) >, c a pair's class, ln q(c | x) linear in x but for what makes it sum to 1.

    x are the normal scores of columns, categories being columns of 0 and 1. Weights are the likeliest under normal
    priors, a pair of each class added in the middle, so that a class may be absent. `discriminant` asks for Gaussian
    columns and reads more where they are; categories are not.

    Each fifth of the pairs is read by what the others fitted; the estimate and its standard error follow as those of
    `discriminant`.

    Args:
        scale: the standard deviation of the weights' prior, from 1e-6 to 1e6.
        discrete: "x" or "y", the side with the classes, whose columns are one value; "auto" takes the side that is
            categories, else the one with fewer different rows.

    Raises: ParameterError; DataError for fewer than 10 pairs, or if the discrete side never repeats.

    References: Cox 1958, J. Royal Statistical Society B 20, 215-242; Barber and Agakov 2003 (the bound).

    Example:
        >>> random = np.random.default_rng(0)
        >>> c = random.integers(3, size=1000)
        >>> x = random.normal(size=(1000, 20)) + 0.5 * c[:, None]
        >>> print(Logistic().estimate(Samples(x, c[:, None].astype(float)), seed=0, confidence=0.95))
        0.693 nats (95% interval 0.647 to 0.740) by logistic, no bound: the truth may lie on either side
    """

    scale: float = 1.0
    discrete: str = "auto"

    name = "logistic"
    validity = "nearly unbiased if the log odds are linear"
    references = ("Cox 1958", "Barber and Agakov 2003")
    categories = "codes"

    def __post_init__(self) -> None:
        if not 1e-6 <= self.scale <= 1e6:
            raise ParameterError(f"scale must be between 1e-6 and 1e6; got {self.scale!r}")
        require_side(self.discrete)

    def terms(self, samples: Samples, seed: int) -> Terms:
        return posterior_terms(samples, self.discrete, self._fit, seed)

    def _fit(self, x: Array, classes: Labels, shares: Array) -> OfRows:
        from scipy.optimize import minimize
        from scipy.special import log_softmax

        dim, n_classes = x.shape[1], len(shares)
        rows = np.vstack([x, np.zeros((n_classes, dim))])
        rows = np.hstack([rows, np.ones((len(rows), 1))])
        of_class = np.eye(n_classes)[np.append(classes, range(n_classes))]
        precision = np.append(np.full(dim, self.scale**-2), 0.0)[:, None]  # the constant is free

        def loss(weights: Array) -> tuple[float, Array]:
            """Minus the log likelihood and log prior, and its gradient."""
            w = weights.reshape(dim + 1, -1)
            log_q = log_softmax(rows @ w, axis=1)
            gradient = rows.T @ (np.exp(log_q) - of_class) + precision * w
            return float(-(of_class * log_q).sum() + (precision * w**2).sum() / 2), gradient.ravel()

        start = np.vstack([np.zeros((dim, n_classes)), np.log(shares)])
        found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": MOST_STEPS})
        weights = found.x.reshape(start.shape)

        def posterior(x: Array) -> Array:
            log_q: Array = log_softmax(x @ weights[:-1] + weights[-1], axis=1)
            return log_q

        return posterior

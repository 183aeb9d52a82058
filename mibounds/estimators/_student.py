"""The copula of a multivariate Student-t law, fitted by maximum likelihood, and the density ratio it implies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from mibounds.distributions.student_t import StudentT
from mibounds.errors import DataError

Array: TypeAlias = NDArray[np.float64]

LEAST_DOF = 0.25
LARGEST_BY_COLUMNS = 100.0  # times the columns: there the law is Gaussian but for 1% of ln r's spread
# Of correlations, times n^2: ranks that agree nearly throughout make the t density as high as one likes.
UNRESOLVED = 50.0
NO_SCALE = (
    "ranks of the columns agree so closely that a Student copula is not told apart from an exact relation"
)
STEPS, TOLERANCE, LOG_DOF_TOLERANCE = 100, 1e-4, 0.02


@dataclass(frozen=True)
class Levels:
    """Probabilities `n x dim` by their distinct values, since ranks repeat in each column and quantiles are dear.

    Attributes:
        distinct: ascending.
        places: `n x dim`, which of them stands where.
    """

    distinct: Array
    places: NDArray[np.intp]

    @classmethod
    def of(cls, u: Array) -> Levels:
        distinct, places = np.unique(u, return_inverse=True)
        return cls(distinct, places.reshape(u.shape))


@dataclass(frozen=True)
class FittedCopula:
    """Degrees of freedom nu and the correlations of the t scores of all columns, x first.

    Attributes:
        dof: nu.
        correlation: `(dim_x + dim_y)` square.
        dim_x: how many of the columns are x.
    """

    dof: float
    correlation: Array
    dim_x: int

    @classmethod
    def fitted(cls, u: Array, dim_x: int) -> FittedCopula:
        """The likeliest for probabilities `n x (dim_x + dim_y)`: the correlations by EM at each nu, nu by search.

        Raises: DataError where the likelihood has no bound that n ranks would show.
        """
        from scipy.optimize import minimize_scalar

        levels, largest = Levels.of(u), LARGEST_BY_COLUMNS * u.shape[1]
        start: Array = np.asarray(np.corrcoef(t_scores(levels, largest), rowvar=False))
        found = {"correlation": start}

        def loss(log_dof: float) -> float:
            dof = float(np.exp(log_dof))
            scores = t_scores(levels, dof)
            found["correlation"] = correlation = _correlation(scores, dof, found["correlation"])
            return -float((_log_t(scores, correlation, dof) - _log_t_each(scores, dof)).mean())

        limits = math.log(LEAST_DOF), math.log(largest)
        best = minimize_scalar(loss, bounds=limits, method="bounded", options={"xatol": LOG_DOF_TOLERANCE})
        dof = float(np.exp(best.x))
        correlation = _correlation(t_scores(levels, dof), dof, found["correlation"])
        if np.linalg.eigvalsh(correlation)[0] < UNRESOLVED / len(u) ** 2:
            raise DataError(NO_SCALE)
        return cls(dof, correlation, dim_x)

    @property
    def law(self) -> StudentT:
        """With t scores as its columns."""
        return StudentT(torch.from_numpy(self.correlation), self.dim_x, self.dof)

    def log_density_ratio(self, u: Array) -> Array:
        """ln p(x,y)/p(x)p(y) at probabilities `n x dim`: `n`."""
        scores = torch.from_numpy(t_scores(Levels.of(u), self.dof))
        of_pairs: Array = self.law.log_density_ratio(scores[:, : self.dim_x], scores[:, self.dim_x :]).numpy()
        return of_pairs


def t_scores(levels: Levels, dof: float) -> Array:
    """Quantiles of Student's t: `n x dim`."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(dof, levels.distinct), dtype=np.float64)[levels.places]


def _correlation(scores: Array, dof: float, start: Array) -> Array:
    """EM: the second moments with weights (nu + dim) / (nu + z^T R^-1 z), as a correlation matrix."""
    n, dim = scores.shape
    correlation = start
    for _ in range(STEPS):
        weights = (dof + dim) / (dof + _squared_norms(scores, correlation))
        moments = (scores * weights[:, None]).T @ scores / n
        scale = np.sqrt(np.diag(moments))
        previous, correlation = correlation, moments / np.outer(scale, scale)
        if np.abs(correlation - previous).max() < TOLERANCE:
            break
    return correlation


def _squared_norms(scores: Array, correlation: Array) -> Array:
    from scipy.linalg import solve_triangular

    try:
        factor = np.linalg.cholesky(correlation)
    except np.linalg.LinAlgError as error:
        raise DataError(NO_SCALE) from error
    white: Array = solve_triangular(factor, scores.T, lower=True, check_finite=False)
    return np.einsum("ij,ij->j", white, white)


def _log_t(scores: Array, correlation: Array, dof: float) -> Array:
    """ln of the t density, up to what cancels between a joint and its marginals: `n`."""
    from scipy.special import gammaln

    dim = scores.shape[1]
    constant = gammaln((dof + dim) / 2) - gammaln(dof / 2) - np.linalg.slogdet(correlation)[1] / 2
    return constant - (dof + dim) / 2 * np.log1p(_squared_norms(scores, correlation) / dof)


def _log_t_each(scores: Array, dof: float) -> Array:
    """The sum over columns of the same, each alone: `n`."""
    from scipy.special import gammaln

    constant = gammaln((dof + 1) / 2) - gammaln(dof / 2)
    return scores.shape[1] * constant - (dof + 1) / 2 * np.log1p(scores**2 / dof).sum(axis=1)

"""Student copula: one random scale shared by all columns, beside their correlations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mibounds.data import Samples
from mibounds.data.categories import listed, takes_each_often
from mibounds.errors import DataError
from mibounds.estimators._left_out import surely_lost
from mibounds.estimators._ranks import normal_scores, places, probabilities
from mibounds.estimators._resolution import as_resolved
from mibounds.estimators._student import FittedCopula
from mibounds.estimators._terms import FromTerms, Terms
from mibounds.estimators._unpaired import surely_in_excess
from mibounds.estimators.gaussian import NEGLIGIBLE, bias_if_gaussian, variance_if_independent
from mibounds.seeding import seed_of


@dataclass(frozen=True)
class StudentCopula(FromTerms):
    """The likeliest Student-t copula's I_Gaussian(R) + c(dim_x) + c(dim_y) - c(dim_x + dim_y), less the bias.

    c(k) is `StudentT`'s. R and nu are fitted to the columns' ranks alone, R by EM and nu by search, so that increasing
    maps of single columns change nothing. It sees two sorts of dependence: correlation, and a scale that all columns
    share (large together, small together), which correlations miss; nu -> inf is the Gaussian copula. Equal values are
    put in random order: left together they would look like a scale that is shared.

    The bias taken off is that of the correlations: the Gaussian's, times (nu + dim + 2) / (nu + dim), which is how much
    more a t law's correlations scatter. The interval is normal, from the spread of ln r over pairs: that of the mean of
    ln r, which maximum likelihood cannot scatter more than if the copula is Student's.

    Raises: DataError if there are no more than dim_x + dim_y + 1 samples, if columns are linear in each other, or so
        nearly that a likelihood without bound takes them to be.

    References: Demarta and McNeil 2005, International Statistical Review 73, 111-129; Arellano-Valle, Contreras-Reyes
        and Genton 2013, Scandinavian Journal of Statistics 40, 42-62 (entropy).

    Example:
        >>> from mibounds.distributions.student_t import StudentT
        >>> x, y = (side.double().numpy() for side in StudentT.identity(2, 2, dof=2).sample(2000, seed=0))
        >>> found = StudentCopula().estimate(Samples(x, y), seed=0, confidence=0.95)
        >>> abs(found.nats - 0.193) < 0.05
        True
    """

    name = "student_copula"
    validity = "nearly unbiased if the copula is Student's"
    references = ("Demarta and McNeil 2005", "Arellano-Valle, Contreras-Reyes and Genton 2013")

    def terms(self, samples: Samples, seed: int) -> Terms:
        n, (dim_x, dim_y) = len(samples), (samples.x.shape[1], samples.y.shape[1])
        dim = dim_x + dim_y
        if n <= dim + 1:
            raise DataError(
                f"too few samples for {dim_x} + {dim_y} columns: {n}; expected at least {dim + 2}"
            )
        random = np.random.default_rng(seed_of("student_copula", "ties", seed))
        both = places(np.hstack([samples.x, samples.y]), random)
        scores = normal_scores(both)
        if np.linalg.eigvalsh(np.atleast_2d(np.corrcoef(scores, rowvar=False)))[0] < NEGLIGIBLE:
            raise DataError(
                "by ranks, a column is a linear function of others; drop it, or choose gaussian_copula"
            )
        u = probabilities(both)
        copula = FittedCopula.fitted(u, dim_x)
        bias = bias_if_gaussian(n, dim_x, dim_y) * (copula.dof + dim + 2) / (copula.dof + dim)
        pointwise = copula.log_density_ratio(u) - bias
        variance = pointwise.var() / n + variance_if_independent(n, dim_x, dim_y)
        nats, chance = copula.law.mutual_information - bias, math.sqrt(variance)
        sides = scores[:, :dim_x], scores[:, dim_x:]
        lost, excess = surely_lost(*sides), surely_in_excess(*sides, seed)
        found = Terms(nats, pointwise, chance, warnings=(*_of_ties(samples),), lost=lost, excess=excess)
        return as_resolved(found, *sides)


def _of_ties(samples: Samples) -> Iterator[str]:
    for side, (values, _) in samples.sides().items():
        repeating = [samples.name_of(side, i) for i, v in enumerate(values.T) if takes_each_often(v, 2)]
        if repeating:
            yield (
                f"{side}, column {listed(repeating)}, repeats its values: equal ones are put in random order, and what "
                "they tell is lost; take auto, mixed or discrete"
            )

"""Copulas: ranks alone matter, values and intervals hold where the law is theirs, and what they cannot do is said."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

import mibounds
from mibounds.data import Samples
from mibounds.distributions.gaussian import Gaussian
from mibounds.distributions.student_t import StudentT
from mibounds.errors import DataError
from mibounds.estimators._ranks import normal_scores, probabilities
from mibounds.estimators._student import FittedCopula
from mibounds.estimators.gaussian_copula import GaussianCopula
from mibounds.estimators.student_copula import StudentCopula

REPEATS = 40
COPULAS = ("gaussian_copula", "student_copula")


def drawn(law, n, seed):
    return tuple(side.double().numpy() for side in law.sample(n, seed))


@pytest.mark.parametrize("method", COPULAS)
def test_increasing_maps_of_columns_change_nothing(method):
    x, y = drawn(Gaussian.from_mutual_information(2, 0.8), 300, 0)
    found = mibounds.estimate(x, y, method=method)
    mapped = mibounds.estimate(
        np.exp(3 * x), np.column_stack([y[:, 0] ** 3, stats.norm.cdf(y[:, 1])]), method=method
    )
    assert mapped.nats == pytest.approx(found.nats, abs=1e-12)
    assert mapped.interval == pytest.approx(found.interval, abs=1e-12)


@pytest.mark.parametrize("method", COPULAS)
@pytest.mark.parametrize(
    ("dim", "n", "truth_nats"), [(1, 200, 0.5), (3, 300, 1.0), (3, 200, 0.0), (15, 150, 1.0)]
)
def test_both_are_right_of_gaussian_copulas(method, dim, n, truth_nats):
    law = Gaussian.from_mutual_information(dim, truth_nats)
    found = [mibounds.estimate(*law.sample(n, seed), method=method) for seed in range(REPEATS)]
    values = np.array([e.nats for e in found])
    assert abs(values.mean() - truth_nats) < 4 * values.std() / math.sqrt(REPEATS) + 0.01
    # A true 95% shows less than 34 of 40 once in 290.
    assert np.mean([e.interval[0] <= truth_nats <= e.interval[1] for e in found]) >= 0.85


@pytest.mark.parametrize("law", [StudentT.identity(1, 1, 1), StudentT.identity(3, 2, 2), StudentT.example()])
def test_the_student_copula_is_right_of_students_laws_and_the_gaussian_one_is_not(law):
    truth_nats, found = law.mutual_information, {}
    for method in COPULAS:
        found[method] = [mibounds.estimate(*law.sample(400, seed), method=method) for seed in range(REPEATS)]
    values = np.array([e.nats for e in found["student_copula"]])
    assert abs(values.mean() - truth_nats) < 4 * values.std() / math.sqrt(len(values)) + 0.01
    assert (
        np.mean([low <= truth_nats <= high for low, high in (e.interval for e in found["student_copula"])])
        >= 0.85
    )
    assert np.mean([e.nats for e in found["gaussian_copula"]]) < truth_nats - 0.05


def test_the_fit_is_the_likeliest():
    """Against SciPy's density of a t law, at the fit and around it."""
    x, y = drawn(StudentT(torch.tensor([[1.0, 0.5], [0.5, 1.0]]), 1, 3.0), 1000, 0)
    u = probabilities(np.hstack([x, y]))

    def log_likelihood(dof, correlation):
        scores = stats.t.ppf(u, dof)
        joint = stats.multivariate_t(shape=[[1, correlation], [correlation, 1]], df=dof).logpdf(scores)
        return (joint - stats.t.logpdf(scores, dof).sum(axis=1)).mean()

    copula = FittedCopula.fitted(u, 1)
    best = log_likelihood(copula.dof, copula.correlation[0, 1])
    assert copula.dof == pytest.approx(3.0, rel=0.3)
    assert copula.log_density_ratio(u).mean() == pytest.approx(best)
    around = [
        (copula.dof * c, copula.correlation[0, 1] + d) for c in (0.8, 1, 1.25) for d in (-0.05, 0, 0.05)
    ]
    assert max(log_likelihood(*place) for place in around) < best + 1e-5


def test_equal_values_share_their_rank():
    values = np.array([[2.0], [1.0], [2.0], [3.0]])
    assert probabilities(values).ravel().tolist() == [0.5, 0.2, 0.5, 0.8]
    assert (normal_scores(values) ** 2).mean() == pytest.approx(1)


@pytest.mark.parametrize("method", COPULAS)
def test_equal_values_are_no_scale_that_is_shared(method):
    """Two columns of bits, each score as far out as any other, were read as 1.2 nats."""
    x, y = np.random.default_rng(0).integers(0, 2, size=(2, 500)).astype(float)
    found = mibounds.estimate(x, y, method=method)
    assert abs(found.nats) < 0.02
    said = any("repeats its values" in warning for warning in found.warnings)
    assert said == (method == "student_copula")


@pytest.mark.parametrize("method", COPULAS)
def test_too_few_samples_and_columns_that_determine_each_other_are_refused(method):
    random = np.random.default_rng(0)
    with pytest.raises(DataError, match="expected at least 22"):
        mibounds.estimate(random.normal(size=(21, 10)), random.normal(size=(21, 10)), method=method)
    x = random.normal(size=(100, 1))
    with pytest.raises(DataError, match="linear function"):
        mibounds.estimate(x, x**3, method=method)


def test_what_ranks_do_not_resolve_is_said():
    x, noise = np.random.default_rng(0).normal(size=(2, 200, 1))
    near, truth = Samples(x, x + 0.01 * noise), 4.6
    found = GaussianCopula().estimate(near, seed=0, confidence=0.95)
    assert found.nats < truth - 0.2 and found.saturated
    assert any("that ranks of 200 pairs do not tell how closely" in said for said in found.warnings)
    plain = GaussianCopula().estimate(Samples(x, x + 0.1 * noise), seed=0, confidence=0.95)
    assert not plain.saturated and not plain.warnings
    one_of_many = Samples(np.hstack([x, noise]), np.hstack([x + 0.01 * noise, noise + x]))
    assert GaussianCopula().terms(one_of_many, 0).saturated


@pytest.mark.parametrize("noise", [1e-2, 1e-3])
def test_columns_that_nearly_determine_each_other_have_no_student_copula(noise):
    x, other = np.random.default_rng(0).normal(size=(2, 200, 1))
    with pytest.raises(DataError, match="not told apart from an exact relation"):
        StudentCopula().terms(Samples(x, x + noise * other), 0)

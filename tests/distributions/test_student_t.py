from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from mibounds.distributions.gaussian import Gaussian
from mibounds.distributions.student_t import StudentT
from mibounds.errors import ParameterError, ShapeError

DISPERSION = torch.tensor([[2.0, 0.3, 0.9], [0.3, 1.0, -0.2], [0.9, -0.2, 1.5]], dtype=torch.float64)


@pytest.mark.parametrize("dof", [0.7, 1.0, 3.0, 30.0])
def test_each_marginal_is_students(dof):
    x, y = StudentT(DISPERSION, 2, dof).sample(5000, 0, dtype=torch.float64)
    for values, scale in zip(torch.cat([x, y], 1).T, DISPERSION.diag().sqrt(), strict=True):
        assert stats.kstest((values / scale).numpy(), stats.t(dof).cdf).pvalue > 1e-4


def test_the_law_is_elliptic_with_the_dispersion():
    """The squared Mahalanobis length over the dimension is F-distributed, whatever the dispersion."""
    x, y = StudentT(DISPERSION, 1, 3.0).sample(5000, 0, dtype=torch.float64)
    both = torch.cat([x, y], 1)
    lengths = (both @ torch.linalg.inv(DISPERSION) * both).sum(1) / 3
    assert stats.kstest(lengths.numpy(), stats.f(3, 3.0).cdf).pvalue > 1e-4
    signs = both.sign()
    expected = torch.asin(DISPERSION / (DISPERSION.diag()[:, None] * DISPERSION.diag()).sqrt()) * 2 / math.pi
    assert ((signs.T @ signs / len(x) - expected).abs() < 4 / len(x) ** 0.5).all()


@pytest.mark.parametrize("dof", [1.0, 2.5])
def test_the_log_ratio_is_that_of_the_densities(dof):
    law = StudentT(DISPERSION, 2, dof)
    x, y = law.sample(50, 0, dtype=torch.float64)

    def log_density(values, dispersion):
        return torch.tensor(stats.multivariate_t(shape=dispersion.numpy(), df=dof).logpdf(values.numpy()))

    joint = log_density(torch.cat([x, y], 1), DISPERSION)
    apart = log_density(x, DISPERSION[:2, :2]) + log_density(y, DISPERSION[2:, 2:])
    torch.testing.assert_close(law.log_density_ratio(x, y), joint - apart)


def test_information_is_gaussian_at_many_degrees_of_freedom_and_grows_as_they_fall():
    truths = [StudentT(DISPERSION, 2, dof).mutual_information for dof in (1e7, 30.0, 3.0, 1.0, 0.3)]
    assert truths[0] == pytest.approx(Gaussian(DISPERSION, 2).mutual_information, abs=1e-5)
    assert truths == sorted(truths)


def test_the_shared_scale_alone_is_information():
    law = StudentT.identity(3, 2, dof=2)
    x, y = law.sample(20_000, 0)
    sizes = torch.stack([x.norm(dim=1), y.norm(dim=1)]).log()
    assert law.mutual_information > 0.1 and sizes.corrcoef()[0, 1] > 0.2


@pytest.mark.parametrize("dof", [0.0, -1.0, math.inf, math.nan])
def test_degrees_of_freedom_out_of_their_domain_are_refused(dof):
    with pytest.raises(ParameterError, match="dof"):
        StudentT.identity(1, 1, dof)


def test_what_is_no_dispersion_is_refused():
    with pytest.raises(ParameterError):
        StudentT(-torch.eye(2), 1, dof=3)
    with pytest.raises(ShapeError):
        StudentT(torch.eye(2), 2, dof=3)

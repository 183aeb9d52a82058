from __future__ import annotations

import math

import pytest
import torch

from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import ParameterError, ShapeError


def test_samples_have_the_covariance():
    covariance = torch.tensor([[2.0, 0.3, 0.9], [0.3, 1.0, -0.2], [0.9, -0.2, 1.5]], dtype=torch.float64)
    x, y = Gaussian(covariance, 2).sample(100_000, 0, dtype=torch.float64)
    both = torch.cat([x, y], 1)
    variances = covariance.diag()
    error = ((variances[:, None] * variances + covariance**2) / len(x)).sqrt()
    assert ((both.T.cov() - covariance).abs() < 4 * error).all()
    assert (both.mean(0).abs() < 4 * (variances / len(x)).sqrt()).all()


def test_the_log_ratio_is_that_of_the_densities():
    covariance = torch.tensor([[2.0, 0.3, 0.9], [0.3, 1.0, -0.2], [0.9, -0.2, 1.5]], dtype=torch.float64)
    law = Gaussian(covariance, 1)
    x, y = law.sample(50, 0, dtype=torch.float64)

    def log_density(values, covariance):
        zero = torch.zeros(len(covariance), dtype=torch.float64)
        return torch.distributions.MultivariateNormal(zero, covariance).log_prob(values)

    joint = log_density(torch.cat([x, y], 1), covariance)
    apart = log_density(x, covariance[:1, :1]) + log_density(y, covariance[1:, 1:])
    torch.testing.assert_close(law.log_density_ratio(x, y), joint - apart)


@pytest.mark.parametrize("nats", [0.0, 1e-3, 4.0, 12.0])
def test_information_given_is_information_had(nats):
    law = Gaussian.from_mutual_information(3, nats)
    assert law.mutual_information == nats
    assert Gaussian(law.covariance, 3).mutual_information == pytest.approx(nats, abs=1e-9)


def test_correlation_and_information_are_two_ways_to_one_law():
    law = Gaussian.from_correlation(20, 0.5)
    assert law.mutual_information == pytest.approx(-10 * math.log(0.75))
    other = Gaussian.from_mutual_information(20, law.mutual_information)
    torch.testing.assert_close(law.covariance, other.covariance)


def test_single_precision_resolves_a_noise_of_a_hundredth_of_a_percent():
    """The terms of the ratio are of the size 1e8 here: summed in float32 they would leave nothing."""
    law = Gaussian.from_mutual_information(1, 9.0)
    x, y = law.sample(20_000, 0)
    assert law.log_density_ratio(x, y).mean().item() == pytest.approx(9.0, abs=0.05)
    assert law.log_density_ratio_matrix(x[:50], y[:50]).diagonal().mean().item() == pytest.approx(
        9.0, abs=1.0
    )


@pytest.mark.parametrize(
    "covariance",
    [[[1.0, 2.0], [2.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]], [[1.0, 0.5], [0.2, 1.0]], [[math.nan, 0], [0, 1]]],
)
def test_what_is_no_covariance_is_refused(covariance):
    with pytest.raises(ParameterError, match="positive definite"):
        Gaussian(torch.tensor(covariance), 1)


@pytest.mark.parametrize(("shape", "dim_x"), [((2, 3), 1), ((4,), 1), ((2, 2), 0), ((2, 2), 2)])
def test_shapes_that_do_not_fit_are_refused(shape, dim_x):
    with pytest.raises(ShapeError, match="square"):
        Gaussian(torch.ones(shape), dim_x)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Gaussian.from_correlation(0, 0.5),
        lambda: Gaussian.from_correlation(3, 1.0),
        lambda: Gaussian.from_mutual_information(3, -1.0),
        lambda: Gaussian.from_mutual_information(1, 50.0),
        lambda: Gaussian.from_mutual_information(3, math.inf),
        lambda: Gaussian.dense(2, 2, 1.0),
        lambda: Gaussian.dense(2, 2, -0.5),
        lambda: Gaussian.sparse(2, 3, 3, 0.5),
        lambda: Gaussian.sparse(2, 2, 1, 1.0),
    ],
)
def test_parameters_out_of_their_domain_are_refused(build):
    with pytest.raises(ParameterError):
        build()

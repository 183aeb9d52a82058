from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from mibounds import theory
from mibounds.distributions.von_mises_fisher import VonMisesFisher
from mibounds.errors import ParameterError

N = 10_000


def cosines(law: VonMisesFisher) -> torch.Tensor:
    x, y = law.sample(N, 0, dtype=torch.float64)
    return (x * y).sum(-1)


@pytest.mark.parametrize(("dim", "kappa"), [(2, 0.0), (2, 5.0), (3, 0.1), (10, 20.0), (50, 3.0), (128, 1e4)])
def test_the_mean_cosine_is_the_mean_resultant(dim, kappa):
    values = cosines(VonMisesFisher(dim, kappa))
    error = values.std().item() / N**0.5
    assert abs(values.mean().item() - theory.vmf_mean_resultant(dim, kappa)) < 4 * error


@pytest.mark.parametrize(("dim", "kappa"), [(4, 0.0), (4, 2.0), (10, 50.0), (100, 30.0), (5, 1e6)])
def test_the_cosine_has_its_density(dim, kappa):
    """e^(kappa s) (1 - s^2)^((d-3)/2), integrated on a grid in s = tanh(w)."""
    w = np.linspace(-10, 10 + math.log1p(kappa) / 2, 200_000)
    log_density = kappa * (np.tanh(w) - 1) - (dim - 1) * np.logaddexp(w, -w)
    below = np.cumsum(np.exp(log_density - log_density.max()))
    values = cosines(VonMisesFisher(dim, kappa)).numpy()
    assert stats.kstest(values, lambda s: np.interp(s, np.tanh(w), below / below[-1])).pvalue > 1e-4


@pytest.mark.parametrize("kappa", [0.5, 5.0, 500.0])
def test_on_the_circle_the_angle_is_von_mises(kappa):
    x, y = VonMisesFisher(2, kappa).sample(N, 0, dtype=torch.float64)
    angle = torch.atan2(x[:, 0] * y[:, 1] - x[:, 1] * y[:, 0], (x * y).sum(-1))
    assert stats.kstest(angle.numpy(), stats.vonmises(kappa).cdf).pvalue > 1e-4


@pytest.mark.parametrize("kappa", [0.5, 5.0, 500.0])
def test_on_the_sphere_the_cosine_is_a_truncated_exponential(kappa):
    drop = 1 - cosines(VonMisesFisher(3, kappa)).numpy()
    assert stats.kstest(drop * kappa, stats.truncexpon(2 * kappa).cdf).pvalue > 1e-4


@pytest.mark.parametrize(("dim", "kappa"), [(2, 3.0), (3, 5.0), (20, 40.0)])
def test_both_sides_are_uniform_on_the_sphere(dim, kappa):
    for side in VonMisesFisher(dim, kappa).sample(N, 0, dtype=torch.float64):
        torch.testing.assert_close(side.norm(dim=1), torch.ones(N, dtype=torch.float64))
        assert (side.mean(0).abs() < 4.5 / (N * dim) ** 0.5).all()
        second = side.T @ side / N
        assert ((second - torch.eye(dim) / dim).abs() < 4.5 * 1.5 / (dim * N**0.5)).all()


def test_y_scatters_evenly_around_x():
    """The part of y across x points anywhere: its direction has mean zero and no preferred axis."""
    x, y = VonMisesFisher(3, 4.0).sample(N, 0, dtype=torch.float64)
    across = y - (x * y).sum(-1, keepdim=True) * x
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    east = torch.linalg.cross(up.expand_as(x), x)
    north = torch.linalg.cross(x, east)
    angle = torch.atan2((across * north).sum(-1), (across * east).sum(-1))
    assert stats.kstest(angle.numpy(), stats.uniform(-math.pi, 2 * math.pi).cdf).pvalue > 1e-4


@pytest.mark.parametrize("nats", [0.0, 0.5, 6.0])
def test_information_given_is_information_had(nats):
    assert VonMisesFisher.from_mutual_information(10, nats).mutual_information == pytest.approx(
        nats, abs=1e-9
    )


@pytest.mark.parametrize(("dim", "kappa"), [(1, 1.0), (3, -1.0), (3, math.inf), (3, math.nan)])
def test_parameters_out_of_their_domain_are_refused(dim, kappa):
    with pytest.raises(ParameterError):
        VonMisesFisher(dim, kappa)

"""Learned conditionals: densities that they are, and the bounds on either side that are read from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import mibounds
from mibounds import bounds
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import ParameterError, UnknownNameError
from mibounds.estimators import build, variational_upper
from mibounds.estimators._mixture_density import MixtureDensity, least_squares
from mibounds.seeding import generator

LAW = Gaussian.from_mutual_information(2, 1.0)
X, Y = (side.numpy() for side in LAW.sample(1500, 0))
SHORT = {"max_steps": 200, "check_every": 50, "batch_size": 128}


def density(dim_x: int, dim_y: int) -> tuple[MixtureDensity, torch.Tensor, torch.Tensor]:
    x, y = (torch.randn(40, dim, generator=generator(dim)) for dim in (dim_x, dim_y))
    model = MixtureDensity(x, y, 3, (8,), 0)
    with torch.no_grad():  # as if trained: nothing is zero
        for p in model.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=generator(5)))
    return model, x, y


@pytest.mark.parametrize("dim_x", [0, 2])
def test_it_is_a_density_of_y(dim_x):
    model, x, _ = density(dim_x, 2)
    grid = torch.linspace(-15, 15, 601)
    plane = torch.cartesian_prod(grid, grid)
    with torch.no_grad():
        total = model(x[:1].expand(len(plane), -1), plane).exp().sum() * (30 / 600) ** 2
    assert total.item() == pytest.approx(1.0, abs=1e-3)


def test_the_matrix_is_the_density_of_every_pair(monkeypatch):
    model, x, y = density(2, 3)
    monkeypatch.setattr("mibounds.estimators._mixture_density.PAIRS_AT_ONCE", 40 * 3 * 3 * 7)
    with torch.no_grad():
        matrix = model.matrix(x, y)
        one_by_one = [model(x[i : i + 1].expand(40, -1), y) for i in range(40)]
    torch.testing.assert_close(matrix, torch.stack(one_by_one))


def test_it_learns_a_spread_as_small_as_the_data_have():
    """With ln of the variance through tanh none is under 1/e, and no mean of ln q above -0.42."""
    x = np.random.default_rng(0).normal(size=(1500, 1))
    y = x + 0.03 * np.random.default_rng(1).normal(size=(1500, 1))
    estimator = build("club", **SHORT | {"max_steps": 400, "learning_rate": 2e-2})
    pairs = estimator.pairs(mibounds.estimators.paired_samples(x, y), 0)
    model, _ = estimator.fitted(pairs, 0)
    with torch.no_grad():
        mean = model.conditional(*pairs.report).mean().item()
    assert mean > 1.5  # -ln(0.03) - ln(2 pi e) / 2 is 2.09


def test_least_squares_is_numpys_up_to_its_small_ridge():
    x, y = (side.double() for side in LAW.sample(5000, 0))
    expected = np.linalg.lstsq(x.numpy(), y.numpy(), rcond=None)[0]
    assert np.allclose(least_squares(x, y).numpy(), expected, atol=1e-3)


@pytest.mark.parametrize("method", ["club", "leave_one_out"])
def test_an_upper_bound_lies_above_and_names_the_lower_one_beside_it(method):
    found = mibounds.estimate(X, Y, method=method, **SHORT)
    assert found.interval[1] > 1.0 and found.nats > 0.85
    assert found.direction == "none" and found.validity == "upper bound if q(y|x) is right"
    assert any("lower bound whatever it is, InfoNCE of the same scores" in text for text in found.warnings)


def test_club_is_far_above_where_the_information_is_high():
    x, y = Gaussian.from_mutual_information(2, 3.0).sample(1500, 0)
    found = mibounds.estimate(x, y, method="club", **SHORT)
    law = Gaussian.from_mutual_information(2, 3.0)
    rho2 = 1 - math.exp(-3.0)
    assert law.mutual_information == 3.0
    assert found.nats > 2 * rho2 / (1 - rho2) / 2  # the population's is 2 rho^2 / (1 - rho^2)


def test_a_bracket_holds_the_truth_and_is_what_both_bounds_read():
    found = mibounds.estimate(X, Y, method="bracket", **SHORT)
    upper = mibounds.estimate(X, Y, method="leave_one_out", **SHORT)
    assert found.interval[0] < 1.0 < found.interval[1]
    assert found.interval[1] == upper.interval[1]
    assert found.interval[0] < found.nats < found.interval[1]


def test_the_lower_bound_holds_whatever_the_network():
    scores = [
        30 * torch.randn(200, 200, generator=generator(seed), dtype=torch.float64) for seed in range(20)
    ]
    values = [variational_upper.lower_bound([s], 0.95)[0] for s in scores]
    assert np.mean(values) < 0  # of independent pairs
    ceiling = variational_upper.lower_bound([1e3 * torch.eye(200, dtype=torch.float64)], 0.95)[0]
    assert ceiling == pytest.approx(math.log(200))


def test_the_bounds_differ_by_the_positive_alone():
    scores = torch.randn(30, 30, generator=generator(0), dtype=torch.float64)
    mean_with = scores.exp().mean(0)
    mean_without = (scores.exp().sum(0) - scores.diagonal().exp()) / 29
    below = (scores.diagonal() - mean_with.log()).mean().item()
    above = (scores.diagonal() - mean_without.log()).mean().item()
    assert variational_upper.lower_bound([scores], 0.95)[0] == pytest.approx(below)
    assert bounds.load("leave_one_out")()(scores).item() == pytest.approx(above)


def test_a_bracket_says_when_it_has_no_lower_end():
    x = np.random.default_rng(0).normal(size=(400, 3))
    y = x + 0.01 * np.random.default_rng(1).normal(size=(400, 3))
    found = mibounds.estimate(x, y, method="bracket", **SHORT | {"learning_rate": 2e-2})
    assert any("near the most that this report fold could show" in text for text in found.warnings)
    assert found.interval[0] < math.log(80) < found.interval[1]


def test_what_takes_no_conditional_is_refused():
    with pytest.raises(ParameterError, match="scores of a critic"):
        variational_upper.VariationalUpper(bound=bounds.load("info_nce")())
    with pytest.raises(ParameterError, match="club and leave_one_out"):
        build("bracket", upper="nwj")
    with pytest.raises(UnknownNameError, match="leave_one_out"):
        build("bracket", upper="leave_one_in")

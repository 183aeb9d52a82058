"""Mixtures: the truth against integration over a grid, and what mixing does to dependence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from mibounds.distributions.gaussian import Gaussian
from mibounds.distributions.mixture import Mixture
from mibounds.errors import ParameterError, ShapeError

FEW = 2**16


def by_integration(law: Mixture) -> float:
    """I of a law of 1 + 1 dimensions: the sum over a fine grid of p ln p/p_x p_y."""
    grid = np.linspace(-9, 9, 1201)
    step = grid[1] - grid[0]
    points = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1)
    parts = zip(law.weights.tolist(), law.means.numpy(), law.covariances.numpy(), strict=True)
    joint = sum(w * stats.multivariate_normal(m, c).pdf(points) for w, m, c in parts)
    of_x, of_y = joint.sum(1, keepdims=True) * step, joint.sum(0) * step
    return float(np.sum(joint * np.log(np.maximum(joint, 1e-300) / (of_x * of_y))) * step**2)


@pytest.mark.parametrize(
    "law",
    [
        Mixture.crossed(0.9),
        Mixture([1, 3], [[2, 2], [-1, 0]], [torch.eye(2), Gaussian.from_correlation(1, 0.5).covariance], 1),
    ],
    ids=["crossed", "apart"],
)
def test_the_truth_is_that_of_numerical_integration_within_its_error(law):
    assert 1e-4 < law.mutual_information_error < 2e-3
    assert abs(law.mutual_information - by_integration(law)) < 4 * law.mutual_information_error


def test_a_mixture_of_one_is_the_gaussian():
    gaussian = Gaussian.dense(2, 1, 0.6)
    law = Mixture([2.0], [[5.0, 0.0, -3.0]], [gaussian.covariance], 2, truth_samples=FEW)
    x, y = gaussian.sample(50, 0, dtype=torch.float64)
    shift = law.means[0]
    torch.testing.assert_close(
        law.log_density_ratio(x + shift[:2], y + shift[2:]), gaussian.log_density_ratio(x, y)
    )
    assert abs(law.mutual_information - gaussian.mutual_information) < 4 * law.mutual_information_error


def test_a_cross_is_uncorrelated_and_dependent():
    law = Mixture.crossed(0.9, truth_samples=FEW)
    x, y = law.sample(20_000, 0, dtype=torch.float64)
    assert abs(float((x * y).mean())) < 4 * float((x * y).std()) / 20_000**0.5
    assert law.mutual_information > 0.3


def test_clusters_far_apart_share_which_one_it_was():
    apart = [[0.0, 0.0], [50.0, 50.0], [100.0, 100.0]]
    law = Mixture([0.5, 0.3, 0.2], apart, [torch.eye(2)] * 3, 1, truth_samples=FEW)
    assert abs(law.mutual_information - stats.entropy([0.5, 0.3, 0.2])) < 4 * law.mutual_information_error


def test_components_come_as_often_as_their_weights_say():
    law = Mixture([1, 4], [[0.0, 0.0], [100.0, 100.0]], [torch.eye(2)] * 2, 1, truth_samples=FEW)
    far = int((law.sample(10_000, 0)[0] > 50).sum())
    assert stats.binomtest(far, 10_000, 0.8).pvalue > 1e-4


def test_the_truth_is_the_same_each_time():
    one, other = Mixture.crossed(0.5, truth_samples=FEW), Mixture.crossed(0.5, truth_samples=FEW)
    assert one.mutual_information == other.mutual_information


@pytest.mark.parametrize(
    ("weights", "means", "covariances", "error"),
    [
        ([1.0], [[0.0, 0.0]], [torch.eye(2)] * 2, ShapeError),
        ([1.0, 1.0], [[0.0, 0.0]], [torch.eye(2)] * 2, ShapeError),
        ([1.0], [[0.0]], [torch.eye(2)], ShapeError),
        ([-1.0], [[0.0, 0.0]], [torch.eye(2)], ParameterError),
        ([1.0], [[0.0, float("nan")]], [torch.eye(2)], ParameterError),
        ([1.0], [[0.0, 0.0]], [-torch.eye(2)], ParameterError),
    ],
)
def test_parts_that_are_no_law_are_refused(weights, means, covariances, error):
    with pytest.raises(error):
        Mixture(weights, means, covariances, 1, truth_samples=10)
    with pytest.raises(ParameterError, match="truth_samples"):
        Mixture.crossed(0.5, truth_samples=1)

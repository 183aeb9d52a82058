"""Components that lead: how many stand out of noise, and topics that many columns tell together."""

from __future__ import annotations

import math

import numpy as np
import pytest

import mibounds
from mibounds.data import Samples
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import DataError
from mibounds.estimators._leading import LeadingComponents, leading
from mibounds.estimators._ranks import normal_scores
from mibounds.estimators.ksg_extrapolated import ExtrapolatedKSG


def topics(n: int, n_topics: int, dim: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Columns of 0 and 1, as likely 1 as the row's topic says, which both sides share."""
    random, topic = np.random.default_rng(seed), np.arange(n) % n_topics
    likely = random.uniform(0.05, 0.95, size=(2, n_topics, dim))
    return tuple((random.random((n, dim)) < side[topic]).astype(float) for side in likely)


@pytest.mark.parametrize(("n", "dim"), [(1000, 60), (250, 60), (40, 100)])
@pytest.mark.parametrize("planted", [0, 1, 4])
def test_as_many_stand_out_of_noise_as_were_planted(n, dim, planted):
    random = np.random.default_rng(0)
    directions = np.linalg.qr(random.normal(size=(dim, planted)))[0]
    strong = 3 * (1 + math.sqrt(dim / n)) * random.normal(size=(n, planted)) @ directions.T
    found = leading(strong + random.normal(size=(n, dim)))
    assert found.shape == (n, planted)
    np.testing.assert_allclose(found.T @ found, np.diag((found**2).sum(axis=0)), atol=1e-8 * n * dim)


def test_columns_without_noise_have_as_many_as_they_have_directions():
    random = np.random.default_rng(0)
    assert leading(random.normal(size=(200, 3)) @ random.normal(size=(3, 40))).shape[1] == 3


def test_auto_reads_topics_of_flags_by_their_leading_components():
    sides = topics(2000, 10, 60)
    found = mibounds.estimate(*sides, budget="fast")
    assert found.interval[0] < math.log(10) < found.interval[1]
    assert found.nats == pytest.approx(math.log(10), rel=0.2)
    assert any("read in 9 + 9 principal components of 60 + 60 columns" in line for line in found.warnings)


def test_what_is_read_is_what_neighbours_see_and_extrapolation_is_doubt():
    x, y = topics(2000, 10, 60)
    found = LeadingComponents().terms(Samples(x, y), seed=0)
    components = Samples(leading(normal_scores(x)), leading(normal_scores(y)))
    carried = ExtrapolatedKSG().terms(components, seed=0)
    assert found.nats == carried.pointwise.mean() == pytest.approx(math.log(10), rel=0.15)
    assert found.error >= (carried.nats - found.nats) / 2 > 0


def test_topics_that_are_not_shared_are_read_as_nothing():
    x, y = topics(1000, 4, 30)
    shuffled = np.random.default_rng(1).permutation(y)
    found = mibounds.estimate(x, shuffled, budget="fast")
    assert found.interval[0] < 0 < found.interval[1]


@pytest.mark.parametrize(
    ("covariance", "why"),
    [
        (np.full((20, 20), 0.5) + 0.5 * np.eye(20), "weighed as high as those of Gaussian columns"),
        (np.eye(20), "0 \\+ 0 principal components of 10 \\+ 10 columns' ranks stand out"),
    ],
)
def test_gaussian_columns_are_left_to_copulas(covariance, why):
    import torch

    law = Gaussian(torch.from_numpy(covariance), 10)
    x, y = (side.double().numpy() for side in law.sample(1000, seed=0))
    with pytest.raises(DataError, match=why):
        LeadingComponents().terms(Samples(x, y), seed=0)


def test_more_than_neighbours_see_in_are_refused():
    with pytest.raises(DataError, match="expected 1 to 10 a side"):
        LeadingComponents().terms(Samples(*topics(3000, 30, 200)), seed=0)
